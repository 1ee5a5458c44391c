"""Validation of URLs that hotels enter, so that our servers cannot be used to reach our private network (SSRF).

A URL must use https, and its host must resolve to public IP addresses only. The connection goes to one of the checked
addresses, so a later change of the DNS record (DNS rebinding) has no effect. The setting ALLOW_PRIVATE_ADDRESSES turns
these checks off, for example for development.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

#: IPv6 addresses that a NAT64 gateway translates into the IPv4 address in their last four bytes (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class URLNotAllowed(Exception):
    """The URL is malformed, or its host has an IP address that is not public. `detail` never contains the URL."""

    def __init__(self, detail: TranslatableMessage) -> None:
        self.detail = detail
        super().__init__(detail)


class HostNotFound(Exception):
    """The host name has no IP address."""

    def __init__(self, host: str) -> None:
        self.detail = TranslatableMessage(_("The host name {host} can't be resolved."), host=host)
        super().__init__(self.detail)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The parts of a URL that are needed to open a connection and send a request. `path` includes the query string."""

    host: str
    port: int
    is_https: bool
    path: str


def parse_url(url: str) -> Endpoint:
    """Return the endpoint of a URL without resolving its host name. Raises URLNotAllowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The message of the ValueError contains the URL, which may contain a secret. `from None` hides the ValueError.
        raise URLNotAllowed(TranslatableMessage(_("Enter a valid URL."))) from None
    is_https = parts.scheme == "https"
    if not is_https and not (parts.scheme == "http" and settings.ALLOW_PRIVATE_ADDRESSES):
        raise URLNotAllowed(TranslatableMessage(_("The URL must start with https://.")))
    if not parts.hostname or not url.isascii() or any(character <= " " for character in url):
        raise URLNotAllowed(
            TranslatableMessage(
                _("The URL has no host name or contains characters that must be percent-encoded.")
            )
        )
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise URLNotAllowed(
            TranslatableMessage(_("The URL must not contain a user name, a password or a #fragment."))
        )
    endpoint = Endpoint(
        host=parts.hostname,
        port=port or (443 if is_https else 80),
        is_https=is_https,
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    if (address := _ip_address(endpoint.host)) is not None:
        _check_addresses(endpoint.host, [address])
    return endpoint


def resolve(endpoint: Endpoint) -> list[str]:
    """Return the IP addresses of the endpoint's host. Raises HostNotFound, or URLNotAllowed for a private address."""
    try:
        results = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HostNotFound(endpoint.host) from None
    addresses = list(dict.fromkeys(str(result[4][0]).partition("%")[0] for result in results))
    _check_addresses(endpoint.host, [ipaddress.ip_address(address) for address in addresses])
    return addresses


def is_public(address: IPAddress) -> bool:
    """Return whether the address is on the public internet.

    An IPv6 address that embeds an IPv4 address (mapped, 6to4, Teredo, NAT64) is public only if the IPv4
    address is public.
    """
    if isinstance(address, ipaddress.IPv6Address) and (embedded := _embedded_addresses(address)):
        return all(is_public(ipv4_address) for ipv4_address in embedded)
    return address.is_global and not address.is_multicast


def _embedded_addresses(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    candidates = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        candidates.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [candidate for candidate in candidates if candidate is not None]


def _check_addresses(host: str, addresses: list[IPAddress]) -> None:
    if not settings.ALLOW_PRIVATE_ADDRESSES and not all(is_public(address) for address in addresses):
        raise URLNotAllowed(
            TranslatableMessage(
                _("{host} resolves to an address that is not on the public internet."), host=host
            )
        )


def _ip_address(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None

"""Validation of URLs that hotels enter, so that our servers cannot be used to reach our private network (SSRF).

A URL must use https, and its host must resolve to public IP addresses only. The connection goes to one of the checked
addresses, so a later change of the DNS record has no effect. The setting ALLOW_PRIVATE_ADDRESSES turns these checks
off.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# These networks are listed here, because `ipaddress.is_global` differs between Python versions.
# `is_global` does not recognize all IPv6 addresses that contain an IPv4 address.
#: IPv4 networks that are not the public internet: multicast, services of cloud providers, and special networks.
#: The special networks are listed at https://www.iana.org/assignments/iana-ipv4-special-registry/.
#: Some of these networks are globally reachable, but no server of a hotel has an address in these networks.
_SPECIAL_IPV4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this network" (RFC 791, section 3.2)
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # carrier-grade NAT, and the metadata service of Alibaba Cloud
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform service, which is reachable from virtual machines only
        "169.254.0.0/16",  # link-local addresses, such as the metadata services of most cloud providers
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # IETF protocol assignments, and the metadata service of Oracle Cloud
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunneling
        "192.88.99.0/24",  # 6to4 relays (deprecated)
        "192.168.0.0/16",  # private use
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
#: The only IPv6 network of public unicast addresses. All other IPv6 networks are reserved or private.
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
#: Networks inside 2000::/3 that are not the public internet.
#: These networks are listed at https://www.iana.org/assignments/iana-ipv6-special-registry/.
_SPECIAL_IPV6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
#: IPv6 networks whose addresses consist of a fixed prefix of 96 bits and an IPv4 address.
_IPV4_IN_LAST_BYTES = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/96",  # IPv4-compatible addresses, including :: and ::1 (RFC 4291, 2.5.5.1)
        "::ffff:0:0/96",  # IPv4-mapped (RFC 4291, 2.5.5.2)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765, SIIT)
        "64:ff9b::/96",  # NAT64 with the well-known prefix (RFC 6052)
        "64:ff9b:1::/96",  # NAT64 with the usual form of the local-use prefix (RFC 8215)
    )
)
_6TO4 = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
#: Bytes 8 to 11 of ISATAP addresses, before the IPv4 address (RFC 5214, 6.1).
_ISATAP = (bytes.fromhex("00005efe"), bytes.fromhex("02005efe"))


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
    if port is None:
        port = 443 if is_https else 80
    _check_port(port)
    endpoint = Endpoint(
        host=parts.hostname,
        port=port,
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

    An IPv6 address that contains an IPv4 address is public only if the IPv4 address is public: routers and gateways
    may send its packets to the IPv4 address.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    packed = address.packed
    if any(address in network for network in _IPV4_IN_LAST_BYTES):
        return is_public(ipaddress.IPv4Address(packed[12:]))
    if address in _TEREDO:
        # A Teredo address contains two IPv4 addresses. The bits of the second address (the client) are inverted.
        client = bytes(byte ^ 0xFF for byte in packed[12:])
        return all(is_public(ipaddress.IPv4Address(embedded)) for embedded in (packed[4:8], client))
    if address not in _PUBLIC_IPV6 or any(address in network for network in _SPECIAL_IPV6):
        return False
    if address in _6TO4 and not is_public(ipaddress.IPv4Address(packed[2:6])):
        return False
    return packed[8:12] not in _ISATAP or is_public(ipaddress.IPv4Address(packed[12:]))


def _check_port(port: int) -> None:
    allowed: frozenset[int] | None = settings.OUTGOING_HTTP_PORTS
    if port == 0 or (allowed is not None and port not in allowed):
        raise URLNotAllowed(
            TranslatableMessage(
                _("The port {port} is not allowed. Allowed ports: {allowed}."),
                port=port,
                allowed=", ".join(map(str, sorted(allowed or ()))) or "1-65535",
            )
        )


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

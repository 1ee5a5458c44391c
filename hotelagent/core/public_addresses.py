"""Where we may connect to for a hotel: to a public address over TLS, so that nobody looks through us into our network.

A name is looked up once, all its addresses are judged, and the connection goes to one of those: a name that leads
elsewhere a moment later leads nowhere. `WEBHOOK_PRIVATE_ADDRESSES` lifts this for development, and for a
deployment whose hotels' systems stand in its own network.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from locks.errors import AddressRefused, NotDelivered

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: IPv6 addresses that a gateway turns into the IPv4 address in their last four bytes (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    host: str
    port: int
    secure: bool
    path: str


def target(url: str) -> Target:
    """What an address says, without looking up its name. Raises AddressRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused(TranslatableMessage(_("This is no address."))) from None  # it may hold a secret
    secure = parts.scheme == "https"
    if not secure and not (parts.scheme == "http" and settings.WEBHOOK_PRIVATE_ADDRESSES):
        raise AddressRefused(TranslatableMessage(_("The address must begin with https://.")))
    if not parts.hostname or not url.isascii() or any(sign <= " " for sign in url):
        raise AddressRefused(
            TranslatableMessage(_("The address has no host, or a sign that must be written as %XX."))
        )
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefused(
            TranslatableMessage(_("The address may have no user name, no password and no #fragment."))
        )
    found = Target(
        host=parts.hostname,
        port=port or (443 if secure else 80),
        secure=secure,
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    if (literal := _literal(found.host)) is not None:
        _judge(found.host, [literal])
    return found


def resolve(to: Target) -> list[str]:
    """The addresses of the target's name, all of them fit to be connected to. Raises AddressRefused or NotDelivered."""
    try:
        found = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise nowhere(to) from None
    addresses = list(dict.fromkeys(str(info[4][0]).partition("%")[0] for info in found))
    _judge(to.host, [ipaddress.ip_address(address) for address in addresses])
    return addresses


def nowhere(to: Target) -> NotDelivered:
    return NotDelivered(TranslatableMessage(_("The name {host} has no address."), host=to.host))


def _judge(host: str, addresses: list[_Address]) -> None:
    if not settings.WEBHOOK_PRIVATE_ADDRESSES and not all(is_public(address) for address in addresses):
        raise AddressRefused(
            TranslatableMessage(
                _("{host} leads to an address that is not on the public internet."), host=host
            )
        )


def is_public(address: _Address) -> bool:
    """Whether it belongs to the internet at large, the IPv4 address inside of an IPv6 one too."""
    inner: list[_Address | None] = []
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        inner = [one for one in inner if one is not None]
        if inner:
            return all(one is not None and is_public(one) for one in inner)
    return address.is_global and not address.is_multicast


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None

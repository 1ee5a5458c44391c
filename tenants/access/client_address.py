"""The IP address of the client that sent a request, behind a known number of our own reverse proxies."""

from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest

#: Maximum length of an address in X-Forwarded-For. The longest IP address with a port and a zone is much shorter.
_MAX_LENGTH = 100


class ClientAddress(NamedTuple):
    """The IP address of a client.

    `is_peer` is true if the reverse proxies did not report the client's address. `ip` is then the address of the TCP
    connection, which can be the address of a proxy.
    """

    ip: str | None
    is_peer: bool


def client_address(request: HttpRequest) -> ClientAddress:
    """Return the client's IP address in its normal form. The address is None if the server does not know it.

    Each proxy appends an entry with the address of its client to `X-Forwarded-For`. All other entries can be forged by
    the client. The address is therefore entry number `settings.TRUSTED_PROXY_HOPS` from the end. If this entry is
    missing or not an address, the address of the connection is used.
    """
    peer = parse_address(str(request.META.get("REMOTE_ADDR") or ""))
    hops = settings.TRUSTED_PROXY_HOPS
    if not hops:
        return ClientAddress(peer, is_peer=False)
    entries = request.headers.get("X-Forwarded-For", "").split(",")
    forwarded = parse_address(entries[-hops]) if len(entries) >= hops else None
    return ClientAddress(forwarded or peer, is_peer=forwarded is None)


def parse_address(text: str) -> str | None:
    """Return the IP address in a text that may also contain a port or the zone of an IPv6 address.

    Return None if the text contains no valid IP address.

    Examples: `192.0.2.1:5678`, `[2001:db8::1]:80` and `fe80::1%eth0`. IPv4 addresses in the form of IPv6
    (`::ffff:192.0.2.1`) are returned as IPv4 addresses.
    """
    text = text.strip()
    if len(text) > _MAX_LENGTH:
        return None
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return None
    elif text.count(":") == 1:
        host, _colon, port = text.partition(":")
        if not _is_port(f":{port}"):
            return None
    else:
        host = text
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address)


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdigit()

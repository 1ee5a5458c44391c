"""Tests of the rules for webhook and calendar URLs, which must lead to public IP addresses."""

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotelagent.core import public_addresses
from hotelagent.core.public_addresses import HostNotFound, URLNotAllowed, parse_url, resolve
from tests.core.dns import resolve_all_hosts_to


@pytest.fixture(autouse=True)
def only_public_addresses(settings: Any) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    settings.OUTGOING_HTTP_PORTS = frozenset({80, 443})


@pytest.mark.parametrize(
    "url",
    [
        "http://pms.example.com/",
        "ftp://pms.example.com/",
        "https:///hooks",
        "https://user:secret@pms.example.com/",
        "https://pms.example.com/#part",
        "https://pms.example.com/a b",
        "https://pms.example.com:99999/",
        "https://127.0.0.1/",
        "https://10.0.0.5/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://224.0.0.1/",
        "https://0.0.0.0/",
        "https://100.64.0.1/",
        "https://192.0.0.192/",
        "https://[::127.0.0.1]/",
        "https://[2a00::5efe:7f00:1]/",
        "https://[fe80::1%25lo]/",
        "https://pms.example.com:0/",
        "https://pms.example.com:22/",
        "https://pms.example.com:6379/",
    ],
)
def test_malformed_or_private_url_raises_url_not_allowed(url: str) -> None:
    with pytest.raises(URLNotAllowed):
        parse_url(url)


def test_public_url_is_parsed_into_host_port_and_path() -> None:
    endpoint = parse_url("https://pms.example.com/hooks?tenant=1")
    assert (endpoint.host, endpoint.port, endpoint.path) == ("pms.example.com", 443, "/hooks?tenant=1")
    assert endpoint.is_https


#: Notations of IPv6 addresses that contain an IPv4 address. `{ipv4}` is its hexadecimal form, such as `7f00:1`.
CONTAINERS = {
    "IPv4-compatible": "::{ipv4}",
    "IPv4-mapped": "::ffff:{ipv4}",
    "IPv4-translated": "::ffff:0:{ipv4}",
    "NAT64, well-known prefix": "64:ff9b::{ipv4}",
    "NAT64, local-use prefix": "64:ff9b:1::{ipv4}",
    "6to4": "2002:{ipv4}::1",
    "Teredo, server": "2001:0:{ipv4}:0:0:f7f7:f7f7",
    "ISATAP": "2a00:1450::5efe:{ipv4}",
    "ISATAP, universal": "2a00:1450::200:5efe:{ipv4}",
}


def hexadecimal(ipv4: str) -> str:
    packed = ipaddress.IPv4Address(ipv4).packed
    return f"{packed[:2].hex()}:{packed[2:].hex()}"


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=list(CONTAINERS))
def test_ipv6_address_is_public_only_if_the_ipv4_address_inside_is_public(container: str) -> None:
    def is_public(ipv4: str) -> bool:
        return public_addresses.is_public(ipaddress.ip_address(container.format(ipv4=hexadecimal(ipv4))))

    assert is_public("93.184.215.14")
    for private in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.0.0.192", "100.100.100.200"):
        assert not is_public(private), private


def test_teredo_address_of_a_private_client_is_not_public() -> None:
    # This address contains the client address 127.0.0.1.
    assert not public_addresses.is_public(ipaddress.ip_address("2001:0:5db8:d70e::80ff:fffe"))


@pytest.mark.parametrize(
    ("network", "neighbours"),
    [
        ("0.0.0.0/8", ["1.0.0.0"]),
        ("10.0.0.0/8", ["9.255.255.255", "11.0.0.0"]),
        ("100.64.0.0/10", ["100.63.255.255", "100.128.0.0"]),
        ("127.0.0.0/8", ["126.255.255.255", "128.0.0.0"]),
        ("168.63.129.16/32", ["168.63.129.15", "168.63.129.17"]),
        ("169.254.0.0/16", ["169.253.255.255", "169.255.0.0"]),
        ("172.16.0.0/12", ["172.15.255.255", "172.32.0.0"]),
        ("192.0.0.0/24", ["191.255.255.255", "192.0.1.0"]),
        ("192.0.2.0/24", ["192.0.3.0"]),
        ("192.31.196.0/24", ["192.31.195.255", "192.31.197.0"]),
        ("192.52.193.0/24", ["192.52.192.255", "192.52.194.0"]),
        ("192.88.99.0/24", ["192.88.98.255", "192.88.100.0"]),
        ("192.168.0.0/16", ["192.167.255.255", "192.169.0.0"]),
        ("192.175.48.0/24", ["192.175.47.255", "192.175.49.0"]),
        ("198.18.0.0/15", ["198.17.255.255", "198.20.0.0"]),
        ("198.51.100.0/24", ["198.51.99.255", "198.51.101.0"]),
        ("203.0.113.0/24", ["203.0.112.255", "203.0.114.0"]),
        ("224.0.0.0/3", ["223.255.255.255"]),
        ("64:ff9b:1:1::/64", []),
        ("100::/64", []),
        ("2001:2::/48", ["2001:200::"]),
        ("2001:db8::/32", ["2001:db7:ffff::", "2001:db9::"]),
        ("2620:4f:8000::/48", ["2620:4f:7fff::", "2620:4f:8001::"]),
        ("3fff::/20", ["3ffe:ffff::", "3fff:1000::"]),
        ("5f00::/16", []),
        ("fc00::/7", []),
        ("fe80::/10", []),
        ("fec0::/10", []),
        ("ff00::/8", []),
    ],
)
def test_special_network_is_not_public_but_the_neighbouring_addresses_are(
    network: str, neighbours: list[str]
) -> None:
    special = ipaddress.ip_network(network)
    assert not public_addresses.is_public(special[0])
    assert not public_addresses.is_public(special[-1])
    for neighbour in neighbours:
        assert public_addresses.is_public(ipaddress.ip_address(neighbour)), neighbour


# Hypothesis also draws addresses from the networks of the IANA registries that it knows.
@given(st.ip_addresses(v=4))
def test_ipv4_address_that_python_calls_private_is_not_public(address: ipaddress.IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert not public_addresses.is_public(address)


@given(st.ip_addresses(v=6))
def test_ipv6_address_outside_global_unicast_is_not_public(address: ipaddress.IPv6Address) -> None:
    contains_ipv4 = int(address) >> 32 in {0, 0xFFFF, 0xFFFF0000, 0x64FF9B << 64, 0x64FF9B0001 << 48}
    if int(address) >> 125 != 1 and not contains_ipv4:
        assert not public_addresses.is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_addresses_on_the_public_internet_are_public(address: str) -> None:
    assert public_addresses.is_public(ipaddress.ip_address(address))


def test_url_may_use_the_configured_ports_only(settings: Any) -> None:
    assert parse_url("https://pms.example.com:80/").port == 80
    with pytest.raises(URLNotAllowed, match=r"The port 8443 is not allowed\. Allowed ports: 80, 443\."):
        parse_url("https://pms.example.com:8443/")
    settings.OUTGOING_HTTP_PORTS = frozenset({443, 8443})
    assert parse_url("https://pms.example.com:8443/").port == 8443
    settings.OUTGOING_HTTP_PORTS = None
    assert parse_url("https://pms.example.com:9000/").port == 9000
    with pytest.raises(URLNotAllowed, match="The port 0"):
        parse_url("https://pms.example.com:0/")


@pytest.mark.parametrize("private", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1"])
def test_host_with_a_public_and_a_private_address_raises_url_not_allowed(
    monkeypatch: pytest.MonkeyPatch, private: str
) -> None:
    resolve_all_hosts_to(monkeypatch, "93.184.215.14", private)
    with pytest.raises(URLNotAllowed, match="not on the public internet"):
        resolve(parse_url("https://pms.example.com/"))


def test_unknown_host_name_raises_host_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(HostNotFound, match=r"pms\.example\.com can't be resolved"):
        resolve(parse_url("https://pms.example.com/"))

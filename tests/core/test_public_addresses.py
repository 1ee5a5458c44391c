"""Tests of the rules for webhook and calendar URLs, which must lead to public IP addresses."""

import ipaddress
import socket
from typing import Any

import pytest

from hotelagent.core import public_addresses
from hotelagent.core.public_addresses import HostNotFound, URLNotAllowed, parse_url, resolve
from tests.core.dns import resolve_all_hosts_to


@pytest.fixture(autouse=True)
def only_public_addresses(settings: Any) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False


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
    ],
)
def test_malformed_or_private_url_raises_url_not_allowed(url: str) -> None:
    with pytest.raises(URLNotAllowed):
        parse_url(url)


def test_public_url_is_parsed_into_its_endpoint() -> None:
    endpoint = parse_url("https://pms.example.com/hooks?tenant=1")
    assert (endpoint.host, endpoint.port, endpoint.path) == ("pms.example.com", 443, "/hooks?tenant=1")
    assert endpoint.is_https


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"]
)
def test_addresses_on_the_public_internet_are_public(address: str) -> None:
    assert public_addresses.is_public(ipaddress.ip_address(address))


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

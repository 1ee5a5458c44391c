"""Where a webhook may go: to the public internet over TLS, whatever its name says a moment later."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotelagent.core import public_addresses
from locks.errors import AddressRefused, NotDelivered
from locks.webhooks import sending
from tests.certificates import Certificate
from tests.locks.receiver import Receiver
from tests.web import serving

NAME = "pms.hooks.example"


@pytest.fixture
def in_production(settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = False


def leads_to(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    """What the name has for addresses; the resolver is not ours to run."""

    def lookup(_host: str, port: int, *_how: Any, **_named: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


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
def test_an_address_that_is_refused(in_production: None, url: str) -> None:
    with pytest.raises(AddressRefused):
        public_addresses.target(url)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"]
)
def test_a_public_address_is_public(address: str) -> None:
    assert public_addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1"])
def test_a_name_that_leads_inside_is_refused_when_it_is_sent_to(
    in_production: None, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    leads_to(monkeypatch, "93.184.215.14", inner)
    with pytest.raises(AddressRefused, match="not on the public internet"):
        sending.post(f"https://{NAME}/", headers={}, body=b"{}")


def test_a_redirect_is_not_followed() -> None:
    with serving(Receiver()) as receiver:
        receiver.answers = ["redirect"]
        assert sending.post(receiver.url, headers={}, body=b"{}") == 307
        assert len(receiver.requests) == 1


def test_nobody_there_is_said_without_the_path(unused_port: int) -> None:
    with pytest.raises(NotDelivered) as refused:
        sending.post(f"http://127.0.0.1:{unused_port}/secret-path", headers={}, body=b"{}")
    assert "secret-path" not in refused.value.detail


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate.make(tmp_path, name=NAME)


@pytest.fixture
def certified(certificate: Certificate) -> Iterator[Receiver]:
    """A receiver behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    receiver = Receiver()
    # Shaken hands with in its own thread: it is to end when the other side doesn't like what it sees.
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True, do_handshake_on_connect=False)
    with serving(receiver):
        yield receiver


def test_tls_asks_for_the_name_on_the_address_that_was_judged(
    certified: Receiver, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_to(monkeypatch, "127.0.0.1")
    url = f"https://{NAME}:{certified.server_port}/"
    with pytest.raises(NotDelivered, match="certificate"):
        sending.post(url, headers={}, body=b"{}")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    assert sending.post(url, headers={}, body=b"{}") == 204
    with pytest.raises(NotDelivered, match="certificate"):
        sending.post(f"https://other.example:{certified.server_port}/", headers={}, body=b"{}")


def test_who_hangs_behind_tls_is_cut_off_too(
    certified: Receiver, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_to(monkeypatch, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    monkeypatch.setattr(sending, "SECONDS", 0.5)
    certified.answers = ["hang"]
    with pytest.raises(NotDelivered, match="did not answer within"):
        sending.post(f"https://{NAME}:{certified.server_port}/", headers={}, body=b"{}")

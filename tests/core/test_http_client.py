"""Tests of the HTTP client, which refuses hosts with private addresses.

The tests run real servers on this machine.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotelagent.core.http_client import RequestFailed, URLNotAllowed, send_request
from tests.certificates import Certificate
from tests.core.dns import resolve_all_hosts_to
from tests.locks.receiver import Receiver
from tests.web import serving, use_tls

HOST = "pms.hooks.example"


def post(url: str, *, timeout: float = 10.0, max_bytes: int = 0) -> int:
    return send_request("POST", url, headers={}, body=b"{}", timeout=timeout, max_bytes=max_bytes).status


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate.make(tmp_path, name=HOST)


@pytest.fixture
def tls_receiver(certificate: Certificate) -> Iterator[Receiver]:
    receiver = Receiver()
    use_tls(receiver, certificate)
    with serving(receiver):
        yield receiver


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_request_to_a_host_with_a_private_address_raises_url_not_allowed(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    resolve_all_hosts_to(monkeypatch, "93.184.215.14", "10.1.2.3")
    with pytest.raises(URLNotAllowed, match="not on the public internet"):
        post(f"https://{HOST}/")


def test_http_client_does_not_follow_redirects(receiver: Receiver) -> None:
    receiver.responses = ["redirect"]
    assert post(receiver.url) == 307
    assert len(receiver.requests) == 1


def test_error_about_a_closed_port_does_not_contain_the_url_path(unused_port: int) -> None:
    with pytest.raises(RequestFailed) as failed:
        post(f"http://127.0.0.1:{unused_port}/secret-path")
    assert "127.0.0.1" in failed.value.detail
    assert "secret-path" not in failed.value.detail


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_request_to_a_server_that_never_finishes_fails_at_the_deadline(
    receiver: Receiver, answer: str
) -> None:
    receiver.responses = [answer]
    with pytest.raises(RequestFailed, match="did not respond within"):
        post(receiver.url, timeout=0.5)


def test_request_over_tls_verifies_the_certificate_of_the_host_name(
    tls_receiver: Receiver, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_all_hosts_to(monkeypatch, "127.0.0.1")
    url = f"https://{HOST}:{tls_receiver.server_port}/"
    with pytest.raises(RequestFailed, match="certificate"):
        post(url)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    assert post(url) == 204
    with pytest.raises(RequestFailed, match="certificate"):
        post(f"https://other.example:{tls_receiver.server_port}/")


def test_request_over_tls_to_a_server_that_hangs_fails_at_the_deadline(
    tls_receiver: Receiver, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_all_hosts_to(monkeypatch, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    tls_receiver.responses = ["hang"]
    with pytest.raises(RequestFailed, match="did not respond within"):
        post(f"https://{HOST}:{tls_receiver.server_port}/", timeout=0.5)

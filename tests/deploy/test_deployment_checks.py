"""Tests of the system check that sends a request through the reverse proxy and verifies its headers."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from hotelagent import deployment_checks
from hotelagent.embedded import ports
from tests import web
from tests.certificates import Certificate
from tests.deploy.reverse_proxy import ReverseProxy


class SecurePages(web.QuietHandler):
    """A web server that responds as hotelagent does in production: HTTP requests are redirected to HTTPS."""

    def do_GET(self) -> None:
        if self.headers.get("X-Forwarded-Proto") == "https":
            self.send_head(200)
        else:
            self.send_head(301, Location=f"https://{self.headers['Host']}{self.path}")


class ForgetfulProxy(ReverseProxy):
    """A misconfigured reverse proxy that does not add X-Forwarded headers."""

    def forwarded_headers(self, handler: BaseHTTPRequestHandler) -> dict[str, str]:
        return dict(handler.headers.items())


@pytest.fixture
def certificate(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    settings.SECURE_SSL_REDIRECT = True
    certificate = Certificate.make(tmp_path, name="localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    return certificate


@pytest.fixture
def site() -> Iterator[int]:
    with web.serving(web.listening(SecurePages)) as server:
        yield server.server_port


def check(proxy: ReverseProxy, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(deployment_checks, "HTTPS_PORT", proxy.server_port)
    with web.serving(proxy):
        return deployment_checks.check_reverse_proxy()


def test_reverse_proxy_check_with_a_correct_proxy_reports_nothing(
    site: int, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(ReverseProxy(target=site, certificate=certificate), monkeypatch) == []


def test_reverse_proxy_check_without_x_forwarded_proto_names_the_missing_header(
    site: int, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    [message] = check(ForgetfulProxy(target=site, certificate=certificate), monkeypatch)
    assert message.id == "hotelagent.E011"
    assert "X-Forwarded-Proto" in message.hint


def test_reverse_proxy_check_with_an_untrusted_certificate_reports_an_error(
    site: int, certificate: Certificate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = Certificate.make(tmp_path, name="other")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.authority))
    [message] = check(ReverseProxy(target=site, certificate=certificate), monkeypatch)
    assert message.id == "hotelagent.W013"


def test_reverse_proxy_check_when_no_proxy_is_running_yet_reports_nothing(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment_checks, "HTTPS_PORT", ports.find_free_port())
    assert deployment_checks.check_reverse_proxy() == []

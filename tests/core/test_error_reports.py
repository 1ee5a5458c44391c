"""Tests of error reports. A local HTTP server receives them in place of Sentry. `tests/core/tracing` tests traces."""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from tests.web import QuietHandler, serving

PROGRAM = """
import django
django.setup()
import sentry_sdk
from tenants.context import platform_context
try:
    raise ValueError("no room for ana@example.com, +351 912 345 678")
except ValueError as error:
    with platform_context():
        sentry_sdk.capture_exception(error)
sentry_sdk.flush(5)
"""


class Collector(ThreadingHTTPServer):
    """An HTTP server that stores the bodies of POST requests in `received`, by URL path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: dict[str, bytes] = {}


class Handler(QuietHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert isinstance(self.server, Collector)
        self.server.received[self.path] = self.server.received.get(self.path, b"") + body
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture(scope="module")
def received() -> Iterator[dict[str, bytes]]:
    with serving(Collector()) as collector:
        address = f"127.0.0.1:{collector.server_address[1]}"
        environment = {
            **os.environ,
            "SENTRY_DSN": f"http://key@{address}/1",
        }
        subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, timeout=60)
        yield collector.received


def test_error_report_contains_no_personal_data(received: dict[str, bytes]) -> None:
    report = received["/api/1/envelope/"]
    assert b"no room for [redacted]" in report
    assert b"ana@example.com" not in report
    assert b"912 345 678" not in report

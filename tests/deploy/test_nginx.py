"""Tests of nginx with the configuration of deploy/nginx, in front of gunicorn and of a server that records requests."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from hotelagent.embedded import ports
from tests import servers, web
from tests.certificates import Certificate
from tests.deploy.nginx import Nginx, find_nginx

HOTEL = "alpha.localhost"
MEGABYTE = 1024 * 1024


class EchoHandler(web.QuietHandler):
    """Responds with the headers of the request. The path /slow waits until the event `proceed` is set."""

    protocol_version = "HTTP/1.1"
    proceed = threading.Event()
    arrived = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/slow":
            type(self).arrived.set()
            assert type(self).proceed.wait(timeout=20)
        body = json.dumps(dict(self.headers.items())).encode()
        self.send_head(200, **{"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)


@contextlib.contextmanager
def running_nginx(folder: Path, *, target: int) -> Iterator[Nginx]:
    if find_nginx() is None:
        servers.skip_or_fail_in_ci("nginx")
    folder.chmod(0o700)
    with Nginx(folder, target=target, certificate=Certificate.make(folder, name=HOTEL)) as nginx:
        yield nginx


@pytest.fixture(scope="module")
def nginx(
    django_db_setup: None, gunicorn_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    """Return nginx in front of gunicorn, which serves the hotels of the tests."""
    with running_nginx(tmp_path_factory.mktemp("nginx"), target=gunicorn_port) as running:
        yield running


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Return nginx in front of a server that responds with the headers of the request."""
    with (
        web.serving(web.listening(EchoHandler)) as server,
        running_nginx(tmp_path_factory.mktemp("echo"), target=server.server_port) as running,
    ):
        yield running


def request_over_http(port: int, path: str, *, host: str = HOTEL) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=60)
    connection.request("GET", path, headers={"Host": host})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_host_of_a_hotel_is_served_over_tls_and_an_unknown_host_is_not_found(nginx: Nginx) -> None:
    response = nginx.request("GET", "/api/v1/rooms/", host=HOTEL)
    assert response.status == 401
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (
        nginx.request("GET", "/api/v1/rooms/", host=HOTEL, headers={"Host": "nobody.localhost"}).status == 404
    )


@pytest.mark.parametrize("path", ["/metrics", "/health/live", "/health/ready"])
def test_metrics_and_health_probes_are_not_public(path: str, nginx: Nginx, gunicorn_port: int) -> None:
    assert request_over_http(gunicorn_port, path).status == 200
    assert nginx.request("GET", path, host=HOTEL).status == 404
    assert request_over_http(nginx.http_port, path).status == 404


def test_body_of_more_than_ten_megabytes_is_refused_by_nginx(nginx: Nginx) -> None:
    path = "/api/v1/locks/"
    headers = {"Content-Type": "application/json"}
    accepted = nginx.request("POST", path, host=HOTEL, body=b" " * 9 * MEGABYTE, headers=headers)
    assert accepted.status == 401  # the application's response to a request without an API key
    refused = nginx.request("POST", path, host=HOTEL, body=b" " * 11 * MEGABYTE, headers=headers)
    assert refused.status == 413


def test_old_versions_of_tls_are_refused(nginx: Nginx) -> None:
    context = ssl.create_default_context(cafile=nginx.certificate.authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    with contextlib.closing(_tls_connection(nginx, context)) as accepted:
        assert accepted.version() == "TLSv1.2"
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        _tls_connection(nginx, context)


def _tls_connection(nginx: Nginx, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((ports.LOOPBACK, nginx.https_port), timeout=10)
    try:
        return context.wrap_socket(plain, server_hostname=HOTEL)
    except ssl.SSLError:
        plain.close()
        raise


def test_forged_forwarding_headers_are_replaced(echo: Nginx) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "http"}
    received = json.loads(echo.request("GET", "/", host=HOTEL, headers=forged).body)
    assert received["X-Forwarded-For"] == ports.LOOPBACK
    assert received["X-Forwarded-Proto"] == "https"
    assert received["Host"] == HOTEL


def test_version_of_nginx_is_not_sent(nginx: Nginx, echo: Nginx) -> None:
    for response in (nginx.request("GET", "/metrics", host=HOTEL), echo.request("GET", "/", host=HOTEL)):
        assert response.headers["Server"] == "nginx"
    assert request_over_http(nginx.http_port, "/metrics").headers["Server"] == "nginx"


def test_health_check_of_compose_is_answered_by_nginx_alone(nginx: Nginx) -> None:
    assert request_over_http(nginx.health_port, "/").status == 200


def count_failures(nginx: Nginx, stop: threading.Event) -> tuple[int, int]:
    """Send requests until the event `stop` is set. Return the number of requests, and of those that failed."""
    requests = failures = 0
    while not stop.is_set():
        requests += 1
        try:
            failures += nginx.request("GET", "/", host=HOTEL).status != 200
        except OSError:
            failures += 1
    return requests, failures


def test_no_request_is_refused_while_nginx_reloads_its_configuration(echo: Nginx) -> None:
    EchoHandler.proceed.clear()
    EchoHandler.arrived.clear()
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=4) as threads:
        slow = threads.submit(echo.request, "GET", "/slow", host=HOTEL)
        assert EchoHandler.arrived.wait(timeout=20)
        clients = [threads.submit(count_failures, echo, stop) for _ in range(3)]
        before = worker_processes(echo)
        for _ in range(3):
            echo.reload()
            time.sleep(0.3)
        assert worker_processes(echo) != before
        EchoHandler.proceed.set()
        assert slow.result().status == 200
        stop.set()
        results = [client.result() for client in clients]
    assert sum(requests for requests, _failures in results) > 50
    assert sum(failures for _requests, failures in results) == 0


def worker_processes(nginx: Nginx) -> set[int]:
    return {child.pid for child in psutil.Process(nginx.process.pid).children()}


def test_requests_fail_while_nginx_is_restarted_instead_of_reloaded(echo: Nginx) -> None:
    """This is the negative control of `test_no_request_is_refused_while_nginx_reloads_its_configuration`."""
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as threads:
        client = threads.submit(count_failures, echo, stop)
        echo.__exit__()
        time.sleep(0.2)
        echo.__enter__()
        stop.set()
        _requests, failures = client.result()
    assert failures > 0

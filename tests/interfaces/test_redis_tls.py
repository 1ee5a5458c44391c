"""Tests that all Redis clients of the project verify the certificate of a `rediss://` server."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured

from hotelagent import checks
from hotelagent.embedded import ports
from hotelagent.settings.environment import Environment
from tests.certificates import Certificate
from tests.interfaces.test_production_settings import ENVIRONMENT
from tests.programs import run_python

#: Connects every client of Redis and prints the outcome. The broker sends and receives a message.
CLIENTS = """
import django
django.setup()
from django.core.cache import caches
from hotelagent.celery import app
from hotelagent.monitoring import readiness
from hotelagent.rest import throttling
from tenants.context import platform_context

def broker():
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
        queue = connection.SimpleQueue("test-tls")
        queue.put("message")
        queue.get(timeout=30).ack()

def read_back(name):
    # The caches do not raise errors of Redis. So the program reads the value, which is missing if it was not stored.
    caches[name].set("a", 1)
    if caches[name].get("a") != 1:
        raise RuntimeError("not stored")

def cache():
    read_back("default")

def flags():
    read_back("flags")

def throttle():
    throttling._script()(keys=["k"], args=[1, 1])

def ready():
    state = readiness._check_redis()
    if state != "ok":
        raise RuntimeError(state)

for client in (broker, cache, flags, throttle, ready):
    try:
        with platform_context():
            client()
        print(client.__name__, "connected")
    except Exception as error:
        print(client.__name__, "refused" if type(error).__name__ != "AttributeError" else repr(error))
"""
CLIENT_NAMES = ("broker", "cache", "flags", "throttle", "ready")


@dataclass
class TlsRedis:
    """A TLS proxy in front of the tests' Redis server.

    The certificate of the proxy is signed by an authority that is created for the test.
    """

    port: int
    authority: Path
    password: str

    def connect(self, options: str = "") -> dict[str, str]:
        """Connect every Redis client of the project to the TLS proxy.

        Return a dict that maps the name of each client to "connected", "refused" or an unexpected error.
        """
        url = f"rediss://:{self.password}@{ports.LOOPBACK}:{self.port}/0{options}"
        production = {"DJANGO_SETTINGS_MODULE": "hotelagent.settings.production", "REDIS_URL": url}
        done = run_python("-c", CLIENTS, environment={**ENVIRONMENT, **production})
        assert done.returncode == 0, done.stderr
        return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


@pytest.fixture(scope="module")
def tls_redis(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    certificate = Certificate.make(tmp_path_factory.mktemp("redis-tls"), name="redis")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    upstream = urlsplit(redis_url)

    class Proxy(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                client = context.wrap_socket(self.request, server_side=True)
            except OSError:  # the client refused the certificate
                return
            with client, socket.create_connection((upstream.hostname, upstream.port)) as server:
                threading.Thread(target=copy, args=(server, client), daemon=True).start()
                copy(client, server)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server((ports.LOOPBACK, 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield TlsRedis(server.server_address[1], certificate.authority, upstream.password or "")
        server.shutdown()


def test_all_redis_clients_refuse_the_certificate_of_an_unknown_authority(tls_redis: TlsRedis) -> None:
    assert tls_redis.connect() == dict.fromkeys(CLIENT_NAMES, "refused")


def test_all_redis_clients_accept_a_certificate_of_the_authority_in_the_url(
    tls_redis: TlsRedis,
) -> None:
    options = f"?ssl_ca_certs={tls_redis.authority}"
    assert tls_redis.connect(options) == dict.fromkeys(CLIENT_NAMES, "connected")


def test_redis_url_without_verification_works_for_all_clients_with_a_warning(
    tls_redis: TlsRedis, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "?ssl_cert_reqs=none&ssl_check_hostname=false"
    assert tls_redis.connect(options) == dict.fromkeys(CLIENT_NAMES, "connected")
    for url, expected in ((f"rediss://host/0{options}", ["hotelagent.W002"]), ("rediss://host/0", [])):
        monkeypatch.setenv("REDIS_URL", url)
        settings.REDIS_URL = Environment().redis("REDIS_URL")
        assert [message.id for message in checks.check_redis_certificate()] == expected
        assert checks.check_redis() == []


@pytest.mark.parametrize("option", ["ssl_cert_reqs=CERT_WHATEVER", "colour=red", "socket_timeout=soon"])
def test_check_reports_an_unknown_or_invalid_redis_option_without_the_password(
    settings: Any, option: str
) -> None:
    settings.REDIS_URL = f"rediss://:hunter2@host/0?{option}"
    [message] = checks.check_redis()
    assert message.id == "hotelagent.E003"
    assert "hunter2" not in f"{message.msg}{message.hint}"


@pytest.mark.parametrize(
    "url", ["unix:///run/redis.sock", "redis:///0", "redis://a,b/0", "redis://host/main"]
)
def test_redis_url_that_celery_or_the_cache_would_interpret_differently_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        Environment().redis("REDIS_URL")

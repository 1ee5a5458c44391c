"""Benchmark of SQL statements that hotelagent, django-tenants and plain Django execute through PgBouncer.

hotelagent and django-tenants select the current tenant before the statements. Plain Django has no tenants, so the
difference from plain Django is the cost of selecting the tenant.
"""

from __future__ import annotations

import importlib
import multiprocessing
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import django
import psycopg
from django.conf import settings
from django.db import connections, transaction
from psycopg import sql

from hotelagent.embedded import ports
from hotelagent.embedded.servers import postgres
from tenants.context import hotel_context
from tenants.database.connections import database_settings
from tests.benchmarks.harness import Row, interleave, median_ratio, row, servers
from tests.isolation.isolation_database import IsolationDatabase, create_isolation_database
from tests.servers import PgBouncer

IDS = ("pooled-read", "pooled-write", "pooled-request")
#: Simulated network delay between client and pooler, in seconds.
DELAY = 0.001

Contestants = dict[str, Callable[[], object]]

PLAIN_LOGIN = "bench_plain"
PLAIN_PASSWORD = "bench"


def measure(ids: list[str]) -> list[Row]:
    with servers() as running:
        superuser, runtime = running.postgres.url(postgres.SUPERUSER), running.postgres.url(postgres.RUNTIME)
        with create_isolation_database(
            superuser_url=superuser, runtime_url=runtime, hotels=20, name="bench"
        ) as database:
            plain_url = _create_plain_login(database)
            with (
                PgBouncer(database.runtime_url, pool_size=3, other_urls=(plain_url,)) as bouncer,
                _delayed_proxy(bouncer.port) as slow_port,
            ):
                _configure(database, bouncer, plain_url, slow_port)
                rows = []
                for id_, measure_rows in (
                    ("pooled-read", _read),
                    ("pooled-write", _write),
                    ("pooled-request", _request),
                ):
                    if id_ in ids:
                        rows += measure_rows(database)
                connections.close_all()
                return rows


def _create_plain_login(database: IsolationDatabase) -> str:
    """Create a database role with all privileges, and return its URL.

    django-tenants and plain Django connect with this role, because they have no role per hotel.
    """
    with psycopg.connect(database.superuser_url, autocommit=True) as owner:
        login = sql.Identifier(PLAIN_LOGIN)
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(login, sql.Literal(PLAIN_PASSWORD)))
        for schema in ["public", *(database.tenant(n).schema for n in range(database.hotels))]:
            owner.execute(
                sql.SQL(
                    "GRANT USAGE ON SCHEMA {0} TO {1}; GRANT ALL ON ALL TABLES IN SCHEMA {0} TO {1};"
                    "GRANT ALL ON ALL SEQUENCES IN SCHEMA {0} TO {1}"
                ).format(sql.Identifier(schema), login)
            )
        # The table in `public` has as many rows as a hotel's table.
        owner.execute(
            "INSERT INTO public.marker (hotel, n) SELECT 'platform', n FROM generate_series(2, 5) n"
        )
    parts = urlsplit(database.superuser_url)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{PLAIN_LOGIN}:{PLAIN_PASSWORD}@{address}").geturl()


def _configure(database: IsolationDatabase, bouncer: PgBouncer, plain_url: str, slow_port: int) -> None:
    def settings_for(url: str, engine: str, port: int) -> dict[str, Any]:
        defaults = database_settings(bouncer.through(url), direct=False)
        return {
            **defaults,
            "ENGINE": engine,
            "PORT": str(port),
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": False,
        }

    engines = {
        "ours": (database.runtime_url, "tenants.database.backend"),
        "plain": (plain_url, "django.db.backends.postgresql"),
        "peer": (plain_url, "django_tenants.postgresql_backend"),
    }
    databases = {}
    for name, (url, engine) in engines.items():
        databases[name] = settings_for(url, engine, bouncer.port)
        databases[f"slow-{name}"] = settings_for(url, engine, slow_port)
    settings.configure(
        DATABASES={"default": databases["ours"], **databases},
        DATABASE_ROLES=True,
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "tests.isolation.app.apps.IsolationConfig",
        ],
        AUTH_USER_MODEL="isolation.Guest",
        SECRET_KEY="bench",
        USE_TZ=True,
        DEBUG=False,
    )
    django.setup()


def _in_hotel(database: IsolationDatabase, work: Callable[[str], object], prefix: str = "") -> Contestants:
    """Return three functions in a dictionary: for hotelagent, for django-tenants and for plain Django.

    Each function calls `work` with the alias of its database connection. The functions for hotelagent and
    django-tenants first make hotel 1 the current tenant.
    """
    tenant = database.tenant(1)
    ours, plain, peer = f"{prefix}ours", f"{prefix}plain", f"{prefix}peer"

    def work_with_ours() -> None:
        with hotel_context(tenant):
            work(ours)

    def work_with_peer() -> None:
        connection: Any = connections[peer]
        connection.set_schema(tenant.schema)
        work(peer)

    return {"ours": work_with_ours, "plain": lambda: work(plain), "peer": work_with_peer}


def _markers() -> Any:
    # Models can only be imported after the settings are configured.
    return importlib.import_module("tests.isolation.app.models").Marker.objects


def _row(name: str, what: str, took: dict[str, list[float]], bar: float) -> Row:
    ours, plain, peer = (statistics.median(took[name]) * 1e6 for name in ("ours", "plain", "peer"))
    description = f"{what}; django-tenants {peer:,.0f}, {median_ratio(took['peer'], took['plain']):.2f} x"
    return row(
        name, description, ours=ours, peer=plain, ratio=median_ratio(took["ours"], took["plain"]), bar=bar
    )


def _read(database: IsolationDatabase) -> list[Row]:
    markers = _markers()
    took = interleave(_in_hotel(database, lambda alias: markers.using(alias).get(pk=3)), rounds=150, each=30)
    return [_row("pooled-read", "an ORM read by primary key, us; peer: plain Django", took, 1.15)]


def _write(database: IsolationDatabase) -> list[Row]:
    markers = _markers()

    def write(alias: str) -> None:
        with transaction.atomic(using=alias):
            markers.using(alias).filter(pk=3).update(n=3)

    took = interleave(_in_hotel(database, write), rounds=150, each=20)
    return [_row("pooled-write", "one write in atomic(), us; peer: plain Django", took, 0.90)]


def _request(database: IsolationDatabase) -> list[Row]:
    markers = _markers()

    def request(alias: str) -> None:
        rows = markers.using(alias)
        rows.get(pk=1)
        rows.get(pk=2)
        rows.count()
        list(rows.filter(n__gte=2))
        rows.filter(hotel="x").exists()

    took = interleave(_in_hotel(database, request, "slow-"), rounds=60, each=3)
    compared_with_plain = _row(
        "pooled-request", "a request of five queries at 1 ms, us; peer: plain Django", took, 1.10
    )
    compared_with_peer = row(
        "pooled-request",
        "a request of five queries at 1 ms, us; peer: django-tenants (bar: 1.6 x faster)",
        ours=statistics.median(took["ours"]) * 1e6,
        peer=statistics.median(took["peer"]) * 1e6,
        ratio=median_ratio(took["ours"], took["peer"]),
        bar=1 / 1.6,
    )
    return [compared_with_plain, compared_with_peer]


@contextmanager
def _delayed_proxy(port: int) -> Iterator[int]:
    """Start a TCP proxy that delays all data of the clients by DELAY seconds and forwards the data to `port`.

    Yield the port of the proxy.
    """
    proxy_port = ports.find_free_port()
    process = multiprocessing.get_context("spawn").Process(
        target=_proxy, args=(proxy_port, port), daemon=True
    )
    process.start()
    try:
        for _ in range(100):
            try:
                socket.create_connection((ports.LOOPBACK, proxy_port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield proxy_port
    finally:
        process.kill()
        process.join()


def _proxy(proxy_port: int, port: int) -> None:
    with socket.create_server((ports.LOOPBACK, proxy_port)) as listener:
        while True:
            client, _ = listener.accept()
            server = socket.create_connection((ports.LOOPBACK, port))
            for connected in (client, server):
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink, delay in ((client, server, DELAY), (server, client, 0)):
                threading.Thread(target=_forward, args=(source, sink, delay), daemon=True).start()


def _forward(source: socket.socket, sink: socket.socket, delay: float) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if delay:
                time.sleep(delay)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)

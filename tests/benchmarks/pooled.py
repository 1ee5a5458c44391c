"""What a hotel costs a statement, through PgBouncer: ours beside plain Django and beside django-tenants.

Plain Django reads a table of its login's default schema, as one without tenants would. All three go through
one PgBouncer to one server, each with connections of its own; the figures are microseconds.
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
from tests.isolation.world import World, make_world
from tests.servers import PgBouncer

IDS = ("pooled-read", "pooled-write", "pooled-request")
DELAY = 0.001  # seconds that the network takes from us to the pooler

Contestants = dict[str, Callable[[], object]]

PLAIN_LOGIN = "bench_plain"
PLAIN_PASSWORD = "bench"


def measure(ids: list[str]) -> list[Row]:
    with servers() as running:
        superuser, runtime = running.postgres.url(postgres.SUPERUSER), running.postgres.url(postgres.RUNTIME)
        with make_world(superuser_url=superuser, runtime_url=runtime, hotels=20, name="bench") as world:
            plain_url = _plain_login(world)
            with (
                PgBouncer(world.runtime_url, pool_size=3, other_urls=(plain_url,)) as bouncer,
                _slow(bouncer.port) as slow_port,
            ):
                _configure(world, bouncer, plain_url, slow_port)
                rows = []
                for wanted, measured in (
                    ("pooled-read", _read),
                    ("pooled-write", _write),
                    ("pooled-request", _request),
                ):
                    if wanted in ids:
                        rows += measured(world)
                connections.close_all()
                return rows


def _plain_login(world: World) -> str:
    """A login of the ordinary kind, with rights on everything, for the two that know no hotels' roles."""
    with psycopg.connect(world.superuser_url, autocommit=True) as owner:
        login = sql.Identifier(PLAIN_LOGIN)
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(login, sql.Literal(PLAIN_PASSWORD)))
        for schema in ["public", *(world.tenant(n).schema for n in range(world.hotels))]:
            owner.execute(
                sql.SQL(
                    "GRANT USAGE ON SCHEMA {0} TO {1}; GRANT ALL ON ALL TABLES IN SCHEMA {0} TO {1};"
                    "GRANT ALL ON ALL SEQUENCES IN SCHEMA {0} TO {1}"
                ).format(sql.Identifier(schema), login)
            )
        # As many rows as a hotel's table has.
        owner.execute(
            "INSERT INTO public.marker (hotel, n) SELECT 'platform', n FROM generate_series(2, 5) n"
        )
    parts = urlsplit(world.superuser_url)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{PLAIN_LOGIN}:{PLAIN_PASSWORD}@{address}").geturl()


def _configure(world: World, bouncer: PgBouncer, plain_url: str, slow_port: int) -> None:
    def database(url: str, engine: str, port: int) -> dict[str, Any]:
        given = database_settings(bouncer.through(url), direct=False)
        return {
            **given,
            "ENGINE": engine,
            "PORT": str(port),
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": False,
        }

    engines = {
        "ours": (world.runtime_url, "tenants.database.backend"),
        "plain": (plain_url, "django.db.backends.postgresql"),
        "peer": (plain_url, "django_tenants.postgresql_backend"),
    }
    databases = {}
    for name, (url, engine) in engines.items():
        databases[name] = database(url, engine, bouncer.port)
        databases[f"slow-{name}"] = database(url, engine, slow_port)
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


def _in_a_hotel(world: World, work: Callable[[str], object], prefix: str = "") -> Contestants:
    """`work` by alias, each engine in its own way in hotel 1, entered anew for every call."""
    tenant = world.tenant(1)
    ours, plain, peer = f"{prefix}ours", f"{prefix}plain", f"{prefix}peer"

    def by_ours() -> None:
        with hotel_context(tenant):
            work(ours)

    def by_peer() -> None:
        theirs: Any = connections[peer]
        theirs.set_schema(tenant.schema)
        work(peer)

    return {"ours": by_ours, "plain": lambda: work(plain), "peer": by_peer}


def _markers() -> Any:
    # A model can't be imported before the settings are there.
    return importlib.import_module("tests.isolation.app.models").Marker.objects


def _rows(name: str, what: str, took: dict[str, list[float]], bar: float) -> Row:
    ours, plain, peer = (statistics.median(took[who]) * 1e6 for who in ("ours", "plain", "peer"))
    told = f"{what}; django-tenants {peer:,.0f}, {median_ratio(took['peer'], took['plain']):.2f} x"
    return row(name, told, ours=ours, peer=plain, ratio=median_ratio(took["ours"], took["plain"]), bar=bar)


def _read(world: World) -> list[Row]:
    markers = _markers()
    took = interleave(_in_a_hotel(world, lambda alias: markers.using(alias).get(pk=3)), rounds=150, each=30)
    return [_rows("pooled-read", "an ORM read by primary key, us; peer: plain Django", took, 1.15)]


def _write(world: World) -> list[Row]:
    markers = _markers()

    def write(alias: str) -> None:
        with transaction.atomic(using=alias):
            markers.using(alias).filter(pk=3).update(n=3)

    took = interleave(_in_a_hotel(world, write), rounds=150, each=20)
    return [_rows("pooled-write", "one write in atomic(), us; peer: plain Django", took, 0.90)]


def _request(world: World) -> list[Row]:
    markers = _markers()

    def request(alias: str) -> None:
        rows = markers.using(alias)
        rows.get(pk=1)
        rows.get(pk=2)
        rows.count()
        list(rows.filter(n__gte=2))
        rows.filter(hotel="x").exists()

    took = interleave(_in_a_hotel(world, request, "slow-"), rounds=60, each=3)
    against = _rows("pooled-request", "a request of five queries at 1 ms, us; peer: plain Django", took, 1.10)
    faster = row(
        "pooled-request",
        "a request of five queries at 1 ms, us; peer: django-tenants (bar: 1.6 x faster)",
        ours=statistics.median(took["ours"]) * 1e6,
        peer=statistics.median(took["peer"]) * 1e6,
        ratio=median_ratio(took["ours"], took["peer"]),
        bar=1 / 1.6,
    )
    return [against, faster]


@contextmanager
def _slow(port: int) -> Iterator[int]:
    """A way to `port` on which everything that we send arrives DELAY later."""
    here = ports.find_free_port()
    process = multiprocessing.get_context("spawn").Process(target=_proxy, args=(here, port), daemon=True)
    process.start()
    try:
        for _ in range(100):
            try:
                socket.create_connection((ports.LOOPBACK, here), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield here
    finally:
        process.kill()
        process.join()


def _proxy(here: int, port: int) -> None:
    with socket.create_server((ports.LOOPBACK, here)) as listening:
        while True:
            ours, _ = listening.accept()
            theirs = socket.create_connection((ports.LOOPBACK, port))
            for end in (ours, theirs):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink, delay in ((ours, theirs, DELAY), (theirs, ours, 0)):
                threading.Thread(target=_pass_on, args=(source, sink, delay), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket, delay: float) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if delay:
                time.sleep(delay)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)

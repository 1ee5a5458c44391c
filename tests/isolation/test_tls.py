"""The hotel travels over TLS as it does without: to PgBouncer, from PgBouncer to PostgreSQL, and past it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection, connections, transaction

from hotelagent.embedded import paths, processes
from hotelagent.embedded.servers import postgres
from tenants.context import hotel_context, platform_context
from tenants.database.backend.base import DatabaseWrapper
from tenants.database.connections import database_settings, direct_connection
from tenants.lifecycle import pgtools
from tests import folders, servers
from tests.certificates import Certificate
from tests.isolation.plan import OURS, Plan
from tests.isolation.test_isolation import run
from tests.isolation.world import World, make_world, strays, written

pytestmark = pytest.mark.pooler


@dataclass(frozen=True)
class Encrypted:
    """A server and a pooler before it; both refuse whoever speaks without TLS."""

    world: World
    pooled: str
    authority: Path

    def url(self, url: str, *, mode: str = "verify-full", authority: Path | None = None) -> str:
        return f"{url}?sslmode={mode}&sslrootcert={authority or self.authority}"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    if servers.find_pgbouncer() is None:
        servers.demand_or_skip("pgbouncer")
    programs = servers.postgres_with_tls()
    if programs is None:
        servers.demand_or_skip("a PostgreSQL that was built with TLS (apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("tls")
    certificate = Certificate.make(folder, name="server")
    home = Path(paths.private_folder(folders.FOLDER / f"tls-{os.getpid()}"))
    server = postgres.Postgres(home, options=postgres.THROWAWAY, binaries=programs)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        server.prepare()
        # Its own copy, in its own folder: PostgreSQL takes no key that others may read.
        for file in (certificate.chain, certificate.key):
            copied = shutil.copy(file, server.data)
            if server.user:
                os.chown(copied, *server.user)
        server.options += ("ssl=on", f"ssl_cert_file={certificate.chain.name}")
        server.options += (f"ssl_key_file={certificate.key.name}",)
        log = stack.enter_context((folder / "log").open("wb"))
        process = server.start(log)
        stack.callback(processes.stop, process, signal_number=server.stop_signal, timeout=10)
        server.wait_until_ready(process)
        (server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        with psycopg.connect(server.url(postgres.SUPERUSER), autocommit=True) as superuser:
            superuser.execute("SELECT pg_reload_conf()")
        world = stack.enter_context(
            make_world(
                superuser_url=server.url(postgres.SUPERUSER),
                runtime_url=server.url(postgres.RUNTIME),
                name="tls",
            )
        )
        bouncer = stack.enter_context(servers.PgBouncer(world.runtime_url, tls=certificate))
        yield Encrypted(world, bouncer.url, certificate.authority)


@pytest.fixture(params=["server", "pooler"])
def address(request: pytest.FixtureRequest, encrypted: Encrypted) -> str:
    return encrypted.pooled if request.param == "pooler" else encrypted.world.runtime_url


@pytest.fixture
def connected(
    encrypted: Encrypted, address: str, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> Iterator[Encrypted]:
    direct = database_settings(encrypted.url(encrypted.world.superuser_url), direct=True)
    monkeypatch.setattr(django_settings, "DATABASE_DIRECT", direct)
    given = connections.configure_settings(
        {"default": database_settings(encrypted.url(address), direct=False)}
    )
    wrapper, suite = DatabaseWrapper(given["default"], "default"), connections["default"]
    with django_db_blocker.unblock():
        connections["default"] = wrapper
        try:
            yield encrypted
        finally:
            wrapper.close()
            connections["default"] = suite


def ask(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()


def is_encrypted() -> bool:
    return bool(connection.connection.pgconn.ssl_in_use)


def test_each_leg_is_encrypted_and_carries_the_hotel(connected: Encrypted) -> None:
    for number in (0, 1):
        with hotel_context(connected.world.tenant(number)), transaction.atomic():
            with platform_context():  # the server tells a session's TLS to its own login only
                assert ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == (True,)
            assert ask("SELECT hotel FROM marker LIMIT 1") == (f"h{number}",)
    assert is_encrypted()
    with direct_connection(), hotel_context(connected.world.tenant(2)):
        assert ask("SELECT hotel FROM marker LIMIT 1") == ("h2",)
        assert is_encrypted()


def test_a_dump_goes_over_tls_too(connected: Encrypted) -> None:
    """`migrate` makes the script for new hotels of one. The wheel's pg_dump can't: another must be found."""
    with direct_connection(), platform_context():
        dumped = pgtools.run("pg_dump", "--schema=public", "--schema-only")
    assert "CREATE TABLE public.marker" in dumped


def test_the_crowd_reaches_no_other_hotel_over_tls(encrypted: Encrypted) -> None:
    world = encrypted.world
    plan = Plan(engine=OURS, url=encrypted.url(encrypted.pooled), world=asdict(world), operations=600)
    result = run(plan)
    assert (result["wrong"], result["errors"], strays(world)) == ({}, {}, [])
    assert written(world) == result["committed"] > 0


def test_who_speaks_in_the_clear_is_refused(encrypted: Encrypted, address: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"SSL|no pg_hba\.conf entry"):
        psycopg.connect(f"{address}?sslmode=disable")


def test_a_server_that_another_authority_vouches_for_is_refused(
    encrypted: Encrypted, address: str, tmp_path: Path
) -> None:
    stranger = Certificate.make(tmp_path, name="stranger")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(encrypted.url(address, authority=stranger.authority))


@pytest.mark.parametrize("variable", ["DATABASE_URL", "DATABASE_DIRECT_URL"])
@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_production_starts_with_no_route_that_may_go_in_the_clear(variable: str, mode: str) -> None:
    given = {
        "SECRET_KEY": "x" * 60,
        "PLATFORM_HOST": "hotels.example",
        "DATABASE_URL": "postgres://app:secret-of-app@db.example:6432/hotelagent",
        "DATABASE_DIRECT_URL": "postgres://owner:secret-of-owner@db.example:5432/hotelagent",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "EMAIL_URL": "smtp+tls://user:password@smtp.example:587",
        "DEFAULT_FROM_EMAIL": "Hotels <no-reply@hotels.example>",
        "DJANGO_SETTINGS_MODULE": "hotelagent.settings.production",
    }

    def start() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from django.conf import settings; settings.DATABASES"],
            cwd=paths.CHECKOUT, env={**os.environ, **given}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert start().returncode == 0
    given[variable] += f"?sslmode={mode}"
    refused = start()
    assert refused.returncode == 1
    assert f"{variable} says sslmode={mode}" in refused.stderr
    assert "secret-of" not in refused.stderr

"""Tests of isolation over TLS: to PgBouncer, from PgBouncer to PostgreSQL, and on the direct connection."""

from __future__ import annotations

import os
import shutil
import subprocess
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
from tests.isolation.isolation_database import (
    IsolationDatabase,
    count_written_markers,
    create_isolation_database,
    find_misplaced_rows,
)
from tests.isolation.test_isolation import run_workload
from tests.isolation.workload_plan import OURS, WorkloadPlan
from tests.programs import run_python

pytestmark = pytest.mark.pooler


@dataclass(frozen=True)
class EncryptedServers:
    """A PostgreSQL server and a PgBouncer that both refuse connections without TLS."""

    database: IsolationDatabase
    pooled: str
    authority: Path

    def url(self, url: str, *, mode: str = "verify-full", authority: Path | None = None) -> str:
        return f"{url}?sslmode={mode}&sslrootcert={authority or self.authority}"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncryptedServers]:
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    programs = servers.postgres_with_tls()
    if programs is None:
        servers.skip_or_fail_in_ci("a PostgreSQL that was built with TLS (apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("tls")
    certificate = Certificate.make(folder, name="server")
    home = Path(paths.private_folder(folders.FOLDER / f"tls-{os.getpid()}"))
    server = postgres.Postgres(home, options=postgres.THROWAWAY, binaries=programs)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        server.prepare()
        # PostgreSQL refuses a key that other users may read, so the server gets a copy.
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
        database = stack.enter_context(
            create_isolation_database(
                superuser_url=server.url(postgres.SUPERUSER),
                runtime_url=server.url(postgres.RUNTIME),
                name="tls",
            )
        )
        bouncer = stack.enter_context(servers.PgBouncer(database.runtime_url, tls=certificate))
        yield EncryptedServers(database, bouncer.url, certificate.authority)


@pytest.fixture(params=["server", "pooler"])
def address(request: pytest.FixtureRequest, encrypted: EncryptedServers) -> str:
    return encrypted.pooled if request.param == "pooler" else encrypted.database.runtime_url


@pytest.fixture
def connected(
    encrypted: EncryptedServers, address: str, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> Iterator[EncryptedServers]:
    direct = database_settings(encrypted.url(encrypted.database.superuser_url), direct=True)
    monkeypatch.setattr(django_settings, "DATABASE_DIRECT", direct)
    databases = connections.configure_settings(
        {"default": database_settings(encrypted.url(address), direct=False)}
    )
    wrapper, default = DatabaseWrapper(databases["default"], "default"), connections["default"]
    with django_db_blocker.unblock():
        connections["default"] = wrapper
        try:
            yield encrypted
        finally:
            wrapper.close()
            connections["default"] = default


def query(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def is_encrypted() -> bool:
    return bool(connection.connection.pgconn.ssl_in_use)


def test_runtime_connection_and_direct_connection_are_encrypted(
    connected: EncryptedServers,
) -> None:
    for number in (0, 1):
        with hotel_context(connected.database.tenant(number)), transaction.atomic():
            with platform_context():  # a login sees only its own sessions in pg_stat_ssl
                assert query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == (True,)
            assert query("SELECT hotel FROM marker LIMIT 1") == (f"h{number}",)
    assert is_encrypted()
    with direct_connection(), hotel_context(connected.database.tenant(2)):
        assert query("SELECT hotel FROM marker LIMIT 1") == ("h2",)
        assert is_encrypted()


def test_pg_dump_connects_over_tls(connected: EncryptedServers) -> None:
    """The pg_dump of the embedded PostgreSQL package has no TLS support.

    Therefore, this test uses another pg_dump that is installed on the machine.
    """
    with direct_connection(), platform_context():
        dumped = pgtools.run("pg_dump", "--schema=public", "--schema-only")
    assert "CREATE TABLE public.marker" in dumped


def test_workload_over_tls_reaches_no_rows_of_other_hotels(encrypted: EncryptedServers) -> None:
    database = encrypted.database
    plan = WorkloadPlan(
        engine=OURS, url=encrypted.url(encrypted.pooled), database=asdict(database), operations=600
    )
    result = run_workload(plan)
    assert (result["wrong"], result["errors"], find_misplaced_rows(database)) == ({}, {}, [])
    assert count_written_markers(database) == result["committed"] > 0


def test_unencrypted_connection_is_refused(encrypted: EncryptedServers, address: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"SSL|no pg_hba\.conf entry"):
        psycopg.connect(f"{address}?sslmode=disable")


def test_server_certificate_of_an_untrusted_authority_is_refused(
    encrypted: EncryptedServers, address: str, tmp_path: Path
) -> None:
    other = Certificate.make(tmp_path, name="other")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(encrypted.url(address, authority=other.authority))


@pytest.mark.parametrize("variable", ["DATABASE_URL", "DATABASE_DIRECT_URL"])
@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_production_settings_refuse_an_unencrypted_database_url(variable: str, mode: str) -> None:
    environment = {
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
        program = "from django.conf import settings; settings.DATABASES"
        return run_python("-c", program, environment={**os.environ, **environment})

    assert start().returncode == 0
    environment[variable] += f"?sslmode={mode}"
    result = start()
    assert result.returncode == 1
    assert f"{variable} has sslmode={mode}" in result.stderr
    assert "secret-of" not in result.stderr

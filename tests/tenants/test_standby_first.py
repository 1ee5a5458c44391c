"""Tests of a direct database URL that lists two servers. The first server is a standby with older data."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from hotelagent.embedded import paths, ports, processes
from hotelagent.embedded.servers import postgres
from tests import folders, servers
from tests.programs import run_python

#: Options that the primary server needs so that a standby server can connect.
REPLICATION = ("wal_level=replica", "max_wal_senders=4")


@dataclass
class Pair:
    """A primary server with a migrated database, and a standby that no longer applies the primary's changes."""

    primary_url: str
    environment: dict[str, str]

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.primary_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_python(*arguments, environment={**os.environ, **self.environment})


@pytest.fixture(scope="module")
def pair(redis_url: str) -> Iterator[Pair]:
    with ExitStack() as stack:
        home = Path(paths.private_folder(folders.FOLDER / f"standby-{os.getpid()}"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        log = stack.enter_context((home / "log").open("wb"))
        binaries = servers.postgres_in_pg_bin()
        primary, standby = (
            postgres.Postgres(
                Path(paths.private_folder(home / name)),
                options=(*postgres.THROWAWAY, *REPLICATION),
                binaries=binaries,
            )
            for name in ("primary", "standby")
        )
        primary.prepare()
        process = primary.start(log)
        stack.callback(processes.stop, process, signal_number=primary.stop_signal, timeout=10)
        primary.wait_until_ready(process)
        environment = {
            "DATABASE_URL": primary.url(postgres.RUNTIME),
            "DATABASE_DIRECT_URL": primary.url(postgres.OWNER),
            "REDIS_URL": redis_url,
        }
        pair = Pair(primary.url(postgres.SUPERUSER), environment)
        prepared = pair.run("-m", "tests.template")
        assert prepared.returncode == 0, prepared.stderr
        copy_cluster(primary, standby)
        process = standby.start(log)
        stack.callback(processes.stop, process, signal_number=standby.stop_signal, timeout=10)
        wait_until_paused(standby)
        parts = urlsplit(primary.url(postgres.OWNER))
        login = parts.netloc.rpartition("@")[0]
        hosts = f"{ports.LOOPBACK}:{standby.port},{ports.LOOPBACK}:{primary.port}"
        environment["DATABASE_DIRECT_URL"] = urlunsplit(
            parts._replace(netloc=f"{login}@{hosts}", query="target_session_attrs=read-write")
        )
        yield pair


def copy_cluster(primary: postgres.Postgres, standby: postgres.Postgres) -> None:
    if standby.user:
        os.chown(standby.home, *standby.user)
    subprocess.run(
        primary._command(
            "pg_basebackup",
            *("--pgdata", str(standby.data), "--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
            *("--dbname", primary.url(postgres.SUPERUSER, "postgres")),
        ),
        check=True, capture_output=True,
    )  # fmt: skip
    shutil.copy(primary.home / "passwords.json", standby.home)
    standby.prepare()


def wait_until_paused(standby: postgres.Postgres) -> None:
    """Wait until the standby accepts connections. Then pause the replay of the primary's changes."""
    deadline = time.monotonic() + postgres.START_TIMEOUT
    while True:
        try:
            connection = psycopg.connect(standby.url(postgres.SUPERUSER), autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            break
    with connection:
        assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        connection.execute("SELECT pg_wal_replay_pause()")


def test_hotel_creation_and_backup_use_the_primary_and_not_the_standby(pair: Pair, tmp_path: Path) -> None:
    pair.execute("ALTER TABLE hotel_template.locks_room ADD COLUMN newest integer")
    pair.execute(
        "INSERT INTO hotel_template.django_migrations (app, name, applied) VALUES ('locks', '9999_newest', now())"
    )
    stored = pair.run(
        "-c",
        "import django; django.setup()\n"
        "from tenants.database.connections import direct_connection\n"
        "from tenants.lifecycle import schema_template\n"
        "with direct_connection(): schema_template.store_script()",
    )
    assert stored.returncode == 0, stored.stderr
    created = pair.run("manage.py", "create_hotel", "lagged")
    assert created.returncode == 0, created.stderr
    pair.execute("SELECT newest FROM hotel_lagged.locks_room")
    backup = pair.run("manage.py", "backup_hotel", "lagged", "--to", str(tmp_path / "lagged.hotel"))
    assert backup.returncode == 0, backup.stderr

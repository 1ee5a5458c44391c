"""Tests of the embedded PostgreSQL server, which development and the tests use."""

import contextlib
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from hotelagent.embedded import launch, processes
from hotelagent.embedded.errors import EmbeddedError
from hotelagent.embedded.servers import postgres

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="tests what only root can do")


@contextlib.contextmanager
def readable_folder() -> Iterator[Path]:
    """Return a context manager with a new folder that other users can read.

    pytest's `tmp_path` is readable by its owner only.
    """
    path = Path(tempfile.mkdtemp(prefix="hotelagent-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture
def folder() -> Iterator[Path]:
    with readable_folder() as path:
        yield path


class Cluster:
    """A PostgreSQL server with its own data folder. The server is stopped on exit from the context."""

    def __init__(self, home: Path, options: tuple[str, ...] = postgres.THROWAWAY) -> None:
        home.mkdir(parents=True)
        home.chmod(0o700)
        self.server = postgres.Postgres(home, options=options)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.server.prepare()
        with (self.server.home / "log").open("ab") as log:
            self.process = self.server.start(log)
        self.server.wait_until_ready(self.process)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            processes.stop(self.process, signal_number=signal.SIGQUIT, timeout=10)

    def fetch_value(self, query: str, login: str = postgres.RUNTIME) -> object:
        with psycopg.connect(self.server.url(login), autocommit=True) as connection:
            row = connection.execute(query).fetchone()
        return row[0] if row else None


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    """Return a running server. The tests that use this fixture change nothing on the server."""
    with readable_folder() as path, Cluster(path / "pg") as cluster:
        cluster.start()
        yield cluster


def test_killed_server_has_the_same_data_and_port_after_a_restart(folder: Path) -> None:
    with Cluster(folder / "pg", postgres.DURABLE) as cluster:
        cluster.start()
        port = cluster.server.port
        with psycopg.connect(cluster.server.url(postgres.SUPERUSER)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        cluster.kill()
        assert (cluster.server.data / "postmaster.pid").exists()
        cluster.start()
        assert cluster.server.port == port
        assert cluster.fetch_value("SELECT one FROM kept", postgres.SUPERUSER) == 1


def test_server_start_waits_while_a_recovery_makes_progress(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill a server that has inserted many rows, restart it, suspend its recovery, and resume the recovery later."""
    with Cluster(folder / "pg") as cluster:
        cluster.start()
        with psycopg.connect(cluster.server.url(postgres.SUPERUSER), autocommit=True) as connection:
            connection.execute("CREATE TABLE written (number integer PRIMARY KEY)")
            connection.execute("INSERT INTO written SELECT generate_series(1, 1000000)")
            connection.execute("SELECT pg_switch_wal()")
        cluster.kill()
        suspended: list[psutil.Process] = []
        recovery_progress = postgres.recovery_progress

        def suspend_recovery(pid: int) -> str:
            if not suspended:
                children = psutil.Process(pid).children()
                suspended.extend(
                    child for child in children if "postgres: startup" in " ".join(child.cmdline())
                )
                for process in suspended:
                    process.suspend()
            return recovery_progress(pid)

        monkeypatch.setattr(postgres, "START_TIMEOUT", 0.3)
        monkeypatch.setattr(postgres, "recovery_progress", suspend_recovery)
        with pytest.raises(EmbeddedError, match=r"within 0\.3 seconds: .*the database system is "):
            cluster.start()
        assert len(suspended) == 1
        suspended[0].resume()
        assert cluster.process
        began = time.monotonic()
        cluster.server.wait_until_ready(cluster.process)
        assert time.monotonic() - began > postgres.START_TIMEOUT
        assert cluster.fetch_value("SELECT count(*) FROM written", postgres.SUPERUSER) == 1_000_000


def test_server_starts_despite_a_stale_pid_file_of_another_process(folder: Path) -> None:
    with Cluster(folder / "pg") as cluster:
        cluster.start()
        cluster.kill()
        user, group = cluster.server.user or (os.geteuid(), os.getegid())
        bystander = subprocess.Popen(["sleep", "60"], user=user, group=group)
        try:
            pid_file = cluster.server.data / "postmaster.pid"
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
            cluster.start()
            assert bystander.poll() is None
        finally:
            bystander.kill()
            bystander.wait()


def test_server_starts_in_a_folder_with_a_long_path(folder: Path) -> None:
    home = folder / "/".join("a folder with a long name" for _ in range(12)) / "pg"
    assert len(str(home)) > 300
    with Cluster(home) as cluster:
        cluster.start()
        assert cluster.fetch_value("SELECT current_user") == postgres.RUNTIME


@as_root
def test_server_started_as_root_keeps_the_permissions_of_a_private_folder(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    with Cluster(private / "pg") as cluster:
        cluster.start()
        assert cluster.process
        status = Path(f"/proc/{cluster.process.pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert cluster.fetch_value("SELECT current_user") == postgres.RUNTIME


@as_root
def test_postgres_runs_without_linux_capabilities_if_all_users_can_run_its_programs(running: Cluster) -> None:
    # The packages may be in a private folder even if the data is not.
    accessible = launch.is_accessible(str(running.server.binaries / "postgres"), 65534, 65534)
    assert running.process
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    assert ("CapEff:\t0000000000000000" in status) == accessible


def test_login_with_a_wrong_password_is_refused(running: Cluster) -> None:
    for login in (postgres.SUPERUSER, postgres.OWNER, postgres.RUNTIME):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(
                host="127.0.0.1",
                port=running.server.port,
                user=login,
                password="guess",
                dbname="hotelagent",
            )
    assert stat.S_IMODE((running.server.home / "passwords.json").stat().st_mode) == 0o600


def test_owner_role_is_no_superuser_and_runtime_login_inherits_no_privileges(running: Cluster) -> None:
    with psycopg.connect(running.server.url(postgres.OWNER)) as connection:
        roles = connection.execute(
            "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolinherit FROM pg_roles "
            "WHERE rolname LIKE 'hotelagent%' ORDER BY rolname"
        ).fetchall()
    assert roles == [
        (postgres.RUNTIME, False, False, False, False),
        (postgres.OWNER, False, True, True, True),
    ]


def test_server_stops_after_the_process_that_started_it_is_killed(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from hotelagent.embedded.servers import postgres\n"
        "server = postgres.Postgres(Path(sys.argv[1]), options=postgres.THROWAWAY); server.prepare()\n"
        "process = server.start(2); server.wait_until_ready(process); print(process.pid, flush=True); time.sleep(60)"
    )
    home = folder / "pg"
    home.mkdir(mode=0o700)
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert starter.stdout
    server = processes.ProcessIdentity.of(int(starter.stdout.readline()))
    assert server
    starter.kill()
    starter.wait()
    starter.stdout.close()
    deadline = time.monotonic() + 15
    while server.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_error_of_a_failed_initdb_contains_the_reason(folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))  # a file size limit at which initdb fails
    try:
        with pytest.raises(EmbeddedError, match=r"initdb failed with exit code 1: .*File too large"):
            Cluster(folder / "postgres").server.prepare()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

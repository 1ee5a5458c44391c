import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hotelagent.embedded import launch, postgres, processes

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="what is different for root")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may look into, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="hotelagent-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


class Cluster:
    """A server whose children end with the test."""

    def __init__(self, home: Path, options: tuple[str, ...] = postgres.THROWAWAY) -> None:
        home.mkdir(parents=True)
        home.chmod(0o700)
        self.server = postgres.Postgres(home, options=options)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.server.prepare()
        with (self.server.home / "log").open("ab") as log:
            self.process = self.server.start(log)
        self.server.wait(self.process)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            processes.stop(self.process, signal_number=signal.SIGQUIT, patience=10)

    def ask(self, query: str, login: str = postgres.RUNTIME) -> object:
        with psycopg.connect(self.server.url(login), autocommit=True) as connection:
            row = connection.execute(query).fetchone()
        return row[0] if row else None


def test_it_keeps_its_data_and_its_port_over_a_kill(folder: Path) -> None:
    with Cluster(folder / "pg", postgres.DURABLE) as cluster:
        cluster.start()
        port = cluster.server.port
        with psycopg.connect(cluster.server.url(postgres.SUPERUSER)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        cluster.kill()
        assert (cluster.server.data / "postmaster.pid").exists()
        cluster.start()
        assert cluster.server.port == port
        assert cluster.ask("SELECT one FROM kept", postgres.SUPERUSER) == 1


def test_a_stale_pid_file_that_names_somebody_elses_process_does_not_matter(folder: Path) -> None:
    with Cluster(folder / "pg") as cluster:
        cluster.start()
        cluster.kill()
        user, group = cluster.server.user or (os.geteuid(), os.getegid())
        innocent = subprocess.Popen(["sleep", "60"], user=user, group=group)
        try:
            pid_file = cluster.server.data / "postmaster.pid"
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")
            cluster.start()
            assert innocent.poll() is None
        finally:
            innocent.kill()
            innocent.wait()


def test_a_long_path_does_not_matter(folder: Path) -> None:
    home = folder / "/".join("a folder with a long name" for _ in range(12)) / "pg"
    assert len(str(home)) > 300
    with Cluster(home) as cluster:
        cluster.start()
        assert cluster.ask("SELECT current_user") == postgres.RUNTIME


@as_root
def test_root_may_start_it_below_a_private_folder_and_no_permission_changes(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    with Cluster(private / "pg") as cluster:
        cluster.start()
        assert cluster.process
        status = Path(f"/proc/{cluster.process.pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert cluster.ask("SELECT current_user") == postgres.RUNTIME


@as_root
def test_it_has_no_capability_where_it_needs_none(folder: Path) -> None:
    with Cluster(folder / "pg") as cluster:
        # The packages may stand below a private folder even where the data does not.
        reachable = launch.may_reach(str(cluster.server.binaries / "postgres"), 65534, 65534)
        cluster.start()
        assert cluster.process
        status = Path(f"/proc/{cluster.process.pid}/status").read_text()
        assert ("CapEff:\t0000000000000000" in status) == reachable


def test_nobody_gets_in_without_the_password(folder: Path) -> None:
    with Cluster(folder / "pg") as cluster:
        cluster.start()
        for login in (postgres.SUPERUSER, postgres.OWNER, postgres.RUNTIME):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(
                    host="127.0.0.1",
                    port=cluster.server.port,
                    user=login,
                    password="guess",
                    dbname="hotelagent",
                )
        assert stat.S_IMODE((cluster.server.home / "passwords.json").stat().st_mode) == 0o600


def test_the_owner_is_no_superuser_and_the_runtime_login_inherits_nothing(folder: Path) -> None:
    with Cluster(folder / "pg") as cluster:
        cluster.start()
        with psycopg.connect(cluster.server.url(postgres.OWNER)) as connection:
            roles = connection.execute(
                "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolinherit FROM pg_roles "
                "WHERE rolname LIKE 'hotelagent%' ORDER BY rolname"
            ).fetchall()
        assert roles == [
            (postgres.RUNTIME, False, False, False, False),
            (postgres.OWNER, False, True, True, True),
        ]


def test_it_ends_with_the_process_that_started_it(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from hotelagent.embedded import postgres\n"
        "server = postgres.Postgres(Path(sys.argv[1]), options=postgres.THROWAWAY); server.prepare()\n"
        "process = server.start(2); server.wait(process); print(process.pid, flush=True); time.sleep(60)"
    )
    home = folder / "pg"
    home.mkdir(mode=0o700)
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert starter.stdout
    server = processes.Identity.of(int(starter.stdout.readline()))
    assert server
    starter.kill()
    starter.wait()
    starter.stdout.close()
    deadline = time.monotonic() + 15
    while server.lives():
        assert time.monotonic() < deadline
        time.sleep(0.05)

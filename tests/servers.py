"""Real servers for tests: PostgreSQL, Valkey, PgBouncer in transaction mode, and an SMTP server that can fail."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern_email
from pathlib import Path
from typing import IO, Any, Protocol, Self, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from psycopg import sql

from hotelagent.embedded import paths, ports, processes
from hotelagent.embedded.errors import EmbeddedError
from hotelagent.embedded.servers import postgres, valkey
from tests import folders
from tests.certificates import Certificate

TEMPLATE = postgres.DATABASE
IN_CI = os.environ.get("CI") == "true"


def postgres_in_pg_bin() -> Path | None:
    """Return the folder in the environment variable PG_BIN, or None if the folder contains no PostgreSQL server.

    Example: /usr/lib/postgresql/15/bin.
    """
    folder = os.environ.get("PG_BIN")
    return Path(folder) if folder and Path(folder, "postgres").is_file() else None


def debian_postgres() -> Path | None:
    """Return the folder with the programs of the newest PostgreSQL version that is installed from Debian packages."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    return next((program.parent for program in installed), None)


def postgres_with_tls() -> Path | None:
    """Return the folder with the programs of a PostgreSQL server that supports TLS, or None.

    The folder is the one that PG_BIN names, or else the folder of a Debian package. The embedded PostgreSQL does not
    support TLS.
    """
    return postgres_in_pg_bin() or debian_postgres()


class StockPostgres(postgres.Postgres):
    """A PostgreSQL server with default settings, except for the port and the addresses on which it listens."""

    def start(self, output: int | IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start PostgreSQL without the options that the base class uses to make it faster."""
        settings = (f"port={self.port}", f"listen_addresses={ports.LOOPBACK}", "unix_socket_directories=")
        arguments = [part for setting in settings for part in ("-c", setting)]
        return processes.start(self._command("postgres", "-D", str(self.data), *arguments), output=output)


def with_database(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


class Servers:
    """PostgreSQL and Valkey servers for one test run, in a folder that no other test run uses.

    If `durable` is true, commits wait for the disk, as in production. If `in_memory` is true, the databases are stored
    in memory if enough memory is free. If `stock` is true, Debian's PostgreSQL runs with its default settings.
    """

    def __init__(self, *, durable: bool = False, in_memory: bool = False, stock: bool = False) -> None:
        self.folder, self._lock = folders.claim()
        self.log = (self.folder / "servers.log").open("wb")
        home = self.folder / "postgres"
        server, binaries = (
            (StockPostgres, debian_postgres()) if stock else (postgres.Postgres, postgres_in_pg_bin())
        )
        self.postgres = server(
            folders.in_memory(home) if in_memory else home,
            options=postgres.DURABLE if durable else postgres.THROWAWAY,
            binaries=binaries,
        )
        self.valkey = valkey.Valkey(self.folder / "valkey", persistence=valkey.THROWAWAY)
        self.children: list[subprocess.Popen[bytes]] = []
        self.template: subprocess.Popen[str] | None = None

    def start(self) -> None:
        paths.private_folder(self.postgres.home)
        try:
            self.postgres.prepare()
        except EmbeddedError as error:
            sys.stderr.write(f"Creating the test databases again, on disk, because this failed: {error}\n")
            self.postgres.home = Path(paths.private_folder(self.folder / "postgres-on-disk"))
            self.postgres.data = self.postgres.home / "data"
            self.postgres.prepare()
        paths.private_folder(self.valkey.home)
        self.valkey.prepare()
        self.children = [server.start(self.log) for server in (self.postgres, self.valkey)]
        self.postgres.wait_until_ready(self.children[0])
        self.valkey.wait_until_ready(self.children[1])

    def stop(self) -> None:
        if self.template:
            self.template.kill()
            self.template.communicate()
        # SIGQUIT, because PostgreSQL does not release its shared memory if it is killed.
        for child, signal_number in zip(self.children, (signal.SIGQUIT, signal.SIGKILL), strict=False):
            processes.stop(child, signal_number=signal_number, timeout=10)
        self.log.close()
        folders.delete(self.folder)
        self._lock.close()

    def environment(self, database: str, number: int) -> dict[str, str]:
        """Return the environment variables that make a process use these servers.

        `database` is the name of the PostgreSQL database, and `number` is the number of the Redis database.
        """
        return {
            "DJANGO_SETTINGS_MODULE": "hotelagent.settings.development",
            "DATABASE_URL": self.postgres.url(postgres.RUNTIME, database),
            "DATABASE_DIRECT_URL": self.postgres.url(postgres.OWNER, database),
            "REDIS_URL": self.valkey.url(number),
            "EMAIL_URL": "smtp://127.0.0.1:1",
            "PLATFORM_HOST": "localhost",
            "HOTELAGENT_TEST_SUPERUSER_URL": self.postgres.url(postgres.SUPERUSER, database),
        }

    def start_template(self) -> None:
        """Start the creation of the template database, which each pytest worker copies."""
        self.template = subprocess.Popen(
            [sys.executable, "-m", "tests.template"],
            cwd=paths.CHECKOUT,
            env={**os.environ, **self.environment(TEMPLATE, 0)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for_template(self) -> str | None:
        """Wait until the template database is complete. Return the output if the creation failed, otherwise None."""
        template, self.template = self.template, None
        if template is None:
            raise RuntimeError("The creation of the template database was not started.")
        output, _errors = template.communicate()
        return None if template.returncode == 0 else output

    def build_template(self) -> str | None:
        """Create the template database. Return None, or the output if this fails."""
        self.start_template()
        return self.wait_for_template()


def clone(direct_url: str) -> None:
    """Drop the database of the URL with its open connections, and create it again from the template database."""
    database = sql.Identifier(urlsplit(direct_url).path.lstrip("/"))
    # Only a superuser may close the connections of the runtime login, such as those of a pooler.
    superuser_url = os.environ["HOTELAGENT_TEST_SUPERUSER_URL"]
    with psycopg.connect(with_database(superuser_url, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY").format(
                database, sql.Identifier(postgres.OWNER), sql.Identifier(TEMPLATE)
            )
        )
        # PostgreSQL does not copy the privileges on the template database to the new database.
        connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))


class PgBouncer:
    """A PgBouncer in transaction mode in front of the PostgreSQL server that `url` names.

    PgBouncer accepts the login roles in `url` and `other_urls`. Example:

        with PgBouncer(url, pool_size=1) as bouncer:
            connect(bouncer.url)
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 3,
        other_urls: tuple[str, ...] = (),
        tls: Certificate | None = None,
    ) -> None:
        """Prepare a PgBouncer for the database in `url`.

        If `tls` is set, PgBouncer accepts only TLS connections from clients and connects to PostgreSQL only with TLS.
        PgBouncer then verifies that the certificate of PostgreSQL is signed by the authority in `tls`.
        """
        self.upstream = urlsplit(url)
        self.pool_size = pool_size
        self.tls = tls
        self.logins = {
            unquote(parts.username or ""): unquote(parts.password or "")
            for parts in (self.upstream, *map(urlsplit, other_urls))
        }
        self.port = ports.find_free_port()
        self.folder = Path(paths.private_folder(folders.FOLDER / f"pgbouncer-{os.getpid()}-{self.port}"))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.through(urlunsplit(self.upstream))

    def through(self, url: str) -> str:
        """Return the URL with PgBouncer's host and port. The login role and the database stay the same."""
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{login}@{ports.LOOPBACK}:{self.port}"))

    def __enter__(self) -> Self:
        user = processes.unprivileged_user()
        logins = "".join(f'"{login}" "{password}"\n' for login, password in self.logins.items())
        paths.write_private_file(self.folder / "logins", logins)
        tls = ""
        if self.tls:
            files = [shutil.copy(file, self.folder) for file in vars(self.tls).values()]
            tls = (
                "client_tls_sslmode = require\nserver_tls_sslmode = verify-full\nserver_tls_ca_file = {}\n"
                "client_tls_cert_file = {}\nclient_tls_key_file = {}\n"
            ).format(*files)
        paths.write_private_file(
            self.folder / "pgbouncer.ini",
            f"[databases]\n* = host={self.upstream.hostname} port={self.upstream.port}\n"
            f"[pgbouncer]\nlisten_addr = {ports.LOOPBACK}\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {self.folder}/logins\npool_mode = transaction\n"
            f"stats_users = {', '.join(self.logins)}\n"
            f"default_pool_size = {self.pool_size}\nmax_client_conn = 500\nserver_login_retry = 1\n"
            "ignore_startup_parameters = extra_float_digits\nlogfile =\n"
            f"log_connections = 0\nlog_disconnections = 0\n{tls}",
        )
        if user:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, *user)
        self.start()
        return self

    def start(self) -> None:
        """Start the program with the files that `__enter__` has written. A test calls this method after a kill."""
        program = find_pgbouncer()
        if program is None:
            raise RuntimeError("PgBouncer is not installed: `apt-get install pgbouncer`.")
        with (self.folder / "log").open("wb") as log:
            self.process = processes.start(
                processes.command(
                    [program, self.folder / "pgbouncer.ini"],
                    user=processes.unprivileged_user(),
                    required_paths=[self.folder],
                ),
                output=log,
            )
        wait_until_listening(self.process, self.port, self.folder / "log")

    @property
    def running(self) -> "subprocess.Popen[bytes]":
        """The process of the program. Raises RuntimeError before the start."""
        if self.process is None:
            raise RuntimeError("PgBouncer was not started.")
        return self.process

    def __exit__(self, *_: object) -> None:
        if self.process:
            processes.stop(self.process, signal_number=signal.SIGTERM, timeout=5)
        shutil.rmtree(self.folder, ignore_errors=True)


def find_pgbouncer() -> str | None:
    # Debian installs PgBouncer in a folder that is not in the PATH of ordinary users.
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def wait_until_listening(
    process: "subprocess.Popen[bytes]", port: int, log: Path, *, timeout: float = 10
) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection((ports.LOOPBACK, port), timeout=1).close()
        except OSError:
            if processes.has_ended(process) or time.monotonic() > deadline:
                raise RuntimeError(log.read_text() or f"No server listens on port {port}.") from None
            time.sleep(0.02)
        else:
            return


def skip_or_fail_in_ci(missing: str) -> None:
    """Skip the test because a required program is not installed. In CI, the test fails instead."""
    if IN_CI:
        pytest.fail(f"{missing} is not installed. In CI this is a failure.")
    pytest.skip(f"{missing} is not installed: NOT TESTED. Install it and run the test again.")


@dataclass
class MailServer:
    """An SMTP server that stores the e-mails that it receives. A test can make the server fail.

    - `refuse("a@example.com", "550 5.1.1 no such mailbox")` makes the server refuse this recipient with this reply.
    - `hang(seconds)` makes the server delay its reply to the next message.
    - `drop()` makes the server accept the next message and close the connection without a reply.
    """

    port: int = 0
    accepted: list[EmailMessage] = field(default_factory=list)
    refusals: dict[str, tuple[str, int]] = field(default_factory=dict)
    pause: float = 0
    drops: int = 0

    def refuse(
        self, address: str, reply: str = "550 5.1.1 no such mailbox", *, times: int = 1_000_000
    ) -> None:
        self.refusals[address] = (reply, times)

    def hang(self, seconds: float) -> None:
        self.pause = seconds

    def drop(self, times: int = 1) -> None:
        self.drops = times

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.accepted if address in message["X-Envelope-To"].split(", ")]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        reply, times = self.refusals.get(address, ("", 0))
        if times:
            self.refusals[address] = (reply, times - 1)
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        message = BytesParser(policy=modern_email).parsebytes(envelope.original_content or b"")
        message["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        if self.pause:
            seconds, self.pause = self.pause, 0
            await asyncio.sleep(seconds)
        self.accepted.append(message)
        if self.drops:
            self.drops -= 1
            if isinstance(server.transport, asyncio.WriteTransport):
                server.transport.abort()
        return "250 2.0.0 accepted"


class _HasPort(Protocol):
    port: int


Handler = TypeVar("Handler", bound=_HasPort)


class _BoundController(Controller):
    """A controller of aiosmtpd that accepts connections on a socket that is already listening.

    If the controller opened a socket itself, another process could take the free port first.
    """

    def __init__(self, handler: object, listener: socket.socket) -> None:
        super().__init__(handler, hostname=ports.LOOPBACK, port=listener.getsockname()[1], ready_timeout=60)
        self._listener = listener

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)


@contextlib.contextmanager
def listening(server: Handler) -> Iterator[Handler]:
    """Run an SMTP server on a free port of this machine, and set `server.port`. `server` handles the SMTP commands."""
    listener = socket.create_server((ports.LOOPBACK, 0))
    server.port = listener.getsockname()[1]
    controller = _BoundController(server, listener)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def mail_server() -> contextlib.AbstractContextManager[MailServer]:
    return listening(MailServer())

"""Access to the embedded servers: environment variables with their URLs, and a lock that keeps the servers running."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from hotelagent.embedded import paths, ports
from hotelagent.embedded.errors import EmbeddedError
from hotelagent.embedded.servers import keeper
from hotelagent.embedded.servers.postgres import OWNER

#: Maximum number of seconds to wait for a file lock. Another process may hold it while it creates a database cluster.
LOCK_TIMEOUT = 60.0
#: An address at which no server listens. Commands that need no server can run with this address.
#: DATABASE_URL and REDIS_URL contain this unused address until the embedded servers have been started once.
UNUSED_ADDRESS = "127.0.0.1:1"
DEFAULT_SMTP_PORT = 1025


def server_environment(home: Path = paths.HOME, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return environment variables with the URLs of the embedded servers, without starting a server.

    The variables are DATABASE_URL, DATABASE_DIRECT_URL, REDIS_URL and EMAIL_URL. Variables that are already set are
    omitted. For the embedded database, AUDIT_SIGNING_KEY_FILE names the file of the key that signs its audit trails.
    """
    postgres, valkey = keeper.services(home)
    variables: dict[str, str] = {}
    if not (environ.get("DATABASE_URL") or environ.get("DATABASE_URL_FILE")):
        try:
            variables |= {"DATABASE_URL": postgres.url(), "DATABASE_DIRECT_URL": postgres.url(OWNER)}
        except FileNotFoundError:
            variables["DATABASE_URL"] = f"postgres://{UNUSED_ADDRESS}/hotelagent"
        if not environ.get("AUDIT_SIGNING_KEY") and not environ.get("AUDIT_SIGNING_KEY_FILE"):
            variables["AUDIT_SIGNING_KEY_FILE"] = str(home / "audit.key")
    if not (environ.get("REDIS_URL") or environ.get("REDIS_URL_FILE")):
        try:
            variables["REDIS_URL"] = valkey.url()
        except FileNotFoundError:
            variables["REDIS_URL"] = f"redis://{UNUSED_ADDRESS}/0"
    if not (environ.get("EMAIL_URL") or environ.get("EMAIL_URL_FILE")):
        port = ports.read_port(home / "run" / "smtp.port") or DEFAULT_SMTP_PORT
        variables["EMAIL_URL"] = f"smtp://{ports.LOOPBACK}:{port}"
    return variables


@contextlib.contextmanager
def running_servers() -> Iterator["ServerAccess"]:
    """Keep the embedded servers running inside the `with` block. Start the servers if they are not running.

    At the end of the block, wait until the servers have stopped, unless another process uses them. Raises EmbeddedError
    if the servers cannot be started.
    """
    access = ServerAccess()
    access.acquire()
    try:
        yield access
    finally:
        access.release()


class ServerAccess:
    """The holder of the file locks that keep the embedded servers running while this process uses the servers.

    The module `keeper` explains how the locks are used.
    """

    def __init__(self) -> None:
        self.home = paths.HOME
        self.run = paths.private_folder(self.home / "run")
        self.users: TextIO | None = None
        self.keeper: subprocess.Popen[bytes] | None = None

    def acquire(self) -> None:
        """Acquire the shared lock, and start a keeper process if none is running.

        If a keeper process is stopping, wait until it has stopped.
        """
        self.users = (self.run / keeper.USERS_LOCK).open("a")
        lock_file(self.users, fcntl.LOCK_SH, timeout=LOCK_TIMEOUT)
        self.ensure_running()

    def ensure_running(self) -> bool:
        """Start the keeper process if it is not running. Return whether it was started. Raises EmbeddedError."""
        with (self.run / "start.lock").open("w") as start_lock:
            lock_file(start_lock, fcntl.LOCK_EX, timeout=LOCK_TIMEOUT)
            if self.has_keeper():
                return False
            if self.keeper:
                self.keeper.wait()
            self._start_keeper()
            return True

    def has_keeper(self) -> bool:
        return is_locked(self.run / keeper.KEEPER_LOCK)

    def _start_keeper(self) -> None:
        if not (self.home / "postgres" / "data").exists():
            paths.require_disk_space(self.home)
        log = self.run / keeper.LOG
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as report, log.open("ab") as output:
            output.truncate(0)
            self.keeper = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", keeper.__name__, str(self.home), str(writer)],
                cwd=paths.CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(writer,),
                start_new_session=True,
            )
            os.close(writer)
            outcome = report.read().decode()
        if outcome != "ready":
            self.keeper.wait()
            raise EmbeddedError(f"{outcome or 'The embedded servers did not start.'} (Log: {log})")

    def release(self) -> None:
        """Release the shared lock. If no other process uses the servers, wait until they have stopped."""
        if not self.users:
            return
        self.users.close()
        deadline = time.monotonic() + LOCK_TIMEOUT
        while self.has_keeper() and not self._has_other_users() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.keeper:
            self.keeper.poll()

    def _has_other_users(self) -> bool:
        """Return whether another process uses the servers. Each process that uses the servers holds the shared lock."""
        time.sleep(0.1)
        return not is_locked(self.run / keeper.USERS_LOCK)


def is_locked(path: Path) -> bool:
    """Return whether a running process holds an exclusive lock on the file."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def lock_file(file: TextIO, operation: int, *, timeout: float) -> None:
    """Lock the file with flock(2). Raises EmbeddedError if it cannot be locked within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(file, operation | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"Another command has locked {file.name} for {timeout:.0f} seconds. Stop it and try again."
                ) from error
            time.sleep(0.05)
        else:
            return

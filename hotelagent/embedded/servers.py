"""What the rest of the house uses: the servers' addresses, and the servers themselves."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from hotelagent.embedded import keeper, paths, ports
from hotelagent.embedded.errors import EmbeddedError
from hotelagent.embedded.postgres import OWNER

PATIENCE = 60.0  # seconds; a first start makes a cluster
NOWHERE = "127.0.0.1:1"  # for commands that only read settings before the servers were ever started
MAIL_PORT = 1025


def environment(home: Path = paths.HOME, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The addresses of the embedded servers, for the variables that are not set. Starts nothing."""
    postgres, valkey = keeper.services(home)
    found: dict[str, str] = {}
    if not environ.get("DATABASE_URL"):
        try:
            found |= {"DATABASE_URL": postgres.url(), "DATABASE_DIRECT_URL": postgres.url(OWNER)}
        except FileNotFoundError:
            found["DATABASE_URL"] = f"postgres://{NOWHERE}/hotelagent"
    if not environ.get("REDIS_URL"):
        try:
            found["REDIS_URL"] = valkey.url()
        except FileNotFoundError:
            found["REDIS_URL"] = f"redis://{NOWHERE}/0"
    if not environ.get("EMAIL_URL"):
        port = ports.remembered(home / "run" / "smtp.port") or MAIL_PORT
        found["EMAIL_URL"] = f"smtp://{ports.LOOPBACK}:{port}"
    return found


@contextlib.contextmanager
def servers() -> Iterator["Lease"]:
    """Use the embedded servers: start them unless they run, and let the last user's end stop them.

    Raises EmbeddedError where they cannot be had. Returns from the `with` once they are stopped, if they are.
    """
    lease = Lease()
    lease.take()
    try:
        yield lease
    finally:
        lease.give_back()


class Lease:
    def __init__(self) -> None:
        self.home = paths.HOME
        self.run = paths.private_folder(self.home / "run")
        self.users: TextIO | None = None
        self.keeper: subprocess.Popen[bytes] | None = None

    def take(self) -> None:
        self.users = (self.run / keeper.USERS).open("a")
        # Waits for a keeper that is just stopping.
        lock_within(self.users, fcntl.LOCK_SH, PATIENCE)
        self.ensure()

    def ensure(self) -> bool:
        """Start a keeper if there is none; True if it did. Raises EmbeddedError."""
        with (self.run / "start.lock").open("w") as alone:
            lock_within(alone, fcntl.LOCK_EX, PATIENCE)
            if self.is_kept():
                return False
            if self.keeper:
                self.keeper.wait()
            self._start_keeper()
            return True

    def is_kept(self) -> bool:
        return is_locked(self.run / keeper.KEEPER)

    def _start_keeper(self) -> None:
        if not (self.home / "postgres" / "data").exists():
            paths.demand_room(self.home)
        log = self.run / keeper.LOG
        told, report = os.pipe()
        with os.fdopen(told, "rb") as answer, log.open("ab") as output:
            output.truncate(0)
            self.keeper = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", keeper.__name__, str(self.home), str(report)],
                cwd=paths.CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(report,),
                start_new_session=True,
            )
            os.close(report)
            outcome = answer.read().decode()
        if outcome != "ready":
            self.keeper.wait()
            raise EmbeddedError(f"{outcome or 'The embedded servers did not start.'} (Log: {log})")

    def give_back(self) -> None:
        if not self.users:
            return
        self.users.close()
        deadline = time.monotonic() + PATIENCE
        while self.is_kept() and not self._others() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.keeper:
            self.keeper.poll()

    def _others(self) -> bool:
        """Whether the servers go on for somebody else: the keeper takes the exclusive lock once it may."""
        time.sleep(0.1)
        return not is_locked(self.run / keeper.USERS)


def is_locked(path: Path) -> bool:
    """Whether some process holds the file's exclusive lock: whoever does, lives."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def lock_within(file: TextIO, kind: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"Another command has held {file.name} for {patience:.0f} seconds. End it and try again."
                ) from error
            time.sleep(0.05)
        else:
            return

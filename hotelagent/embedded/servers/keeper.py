"""The keeper: the process that runs the embedded servers while at least one other process uses them.

Each process that uses the servers holds a shared lock on one file, and the kernel releases this lock when the process
ends. When the keeper gets the exclusive lock on the file, it stops the servers and ends.
"""

import fcntl
import os
import signal
import sys
import threading
import time
from pathlib import Path
from subprocess import Popen
from typing import TextIO

from hotelagent.embedded import paths, processes
from hotelagent.embedded.errors import EmbeddedError
from hotelagent.embedded.servers.postgres import Postgres
from hotelagent.embedded.servers.valkey import Valkey

USERS_LOCK = "users.lock"
KEEPER_LOCK = "keeper.lock"
CHILDREN_FILE = "servers.json"
LOG = "servers.log"

#: Maximum delay in seconds before the keeper process restarts a server that has ended.
MAX_PAUSE = 30.0
START_ATTEMPTS = 6


def services(home: Path) -> tuple[Postgres, Valkey]:
    return Postgres(home / "postgres"), Valkey(home / "valkey")


class Keeper:
    """Starts the embedded servers, restarts a server that ends unexpectedly, and finally stops all servers."""

    def __init__(self, home: Path) -> None:
        self.run = home / "run"
        self.services = services(home)
        self.children: dict[str, Popen[bytes]] = {}
        self.is_unused = threading.Event()

    def start_all(self) -> None:
        """Start the servers and wait until they are ready. Raises EmbeddedError.

        Servers that an earlier, killed keeper process left running are stopped first.
        """
        processes.stop_orphans(self.run / CHILDREN_FILE)
        for service in self.services:
            paths.private_folder(service.home)
            service.prepare()
        for service in self.services:
            self._start(service)
        for service in self.services:
            self._wait_until_ready(service)

    def _start(self, service: Postgres | Valkey) -> None:
        self.children[service.name] = service.start(sys.stderr.fileno())
        processes.record_children(self.run / CHILDREN_FILE, self.children)

    def _wait_until_ready(self, service: Postgres | Valkey) -> None:
        """Wait until a server is ready. If the start fails, try again. Raises EmbeddedError after several attempts.

        PostgreSQL may fail to start because child processes of a killed server have not yet released the shared memory.
        """
        for attempt in range(START_ATTEMPTS):
            try:
                service.wait_until_ready(self.children[service.name])
            except EmbeddedError:
                if attempt + 1 == START_ATTEMPTS:
                    raise
                time.sleep(0.5 * 2**attempt)
                processes.kill_group(self.children[service.name])
                self._start(service)
            else:
                return

    def restart_until_unused(self) -> None:
        """Restart each server that ends. Return when no process uses the servers any more.

        The pause before a restart grows with each restart of the same server.
        """
        pauses = dict.fromkeys(self.children, 0.0)
        while not self.is_unused.wait(0.2):
            for service in self.services:
                if processes.has_ended(self.children[service.name]):
                    processes.kill_group(self.children[service.name])
                    print(f"{service.name} ended and is restarted", flush=True)
                    if self.is_unused.wait(pauses[service.name]):
                        return
                    self._start(service)
                    pauses[service.name] = min(pauses[service.name] * 2 + 0.5, MAX_PAUSE)

    def stop_all(self) -> None:
        for service in self.services:
            if child := self.children.get(service.name):
                processes.stop(child, signal_number=service.stop_signal, timeout=service.stop_timeout)
        (self.run / CHILDREN_FILE).unlink(missing_ok=True)


def wait_for_last_user(users: TextIO, is_unused: threading.Event) -> None:
    fcntl.flock(users, fcntl.LOCK_EX)
    is_unused.set()


def main(home: Path, report: int) -> int:
    """Run the process that keeps the embedded servers running, and return its exit code.

    Write "ready" or an error message to the file descriptor `report`.
    """
    keeper = Keeper(home)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: keeper.is_unused.set())
    with (keeper.run / KEEPER_LOCK).open("w") as lock, (keeper.run / USERS_LOCK).open("w") as users:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            keeper.start_all()
        except (EmbeddedError, OSError) as error:
            keeper.stop_all()
            os.write(report, str(error).encode())
            return 1
        os.write(report, b"ready")
        os.close(report)
        threading.Thread(target=wait_for_last_user, args=(users, keeper.is_unused), daemon=True).start()
        keeper.restart_until_unused()
        keeper.stop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))

"""The process that holds the embedded servers while anybody uses them.

Whoever uses them holds a shared lock on one file; the kernel lets go of it when that process ends, however
it ends. The keeper waits for the exclusive lock: when it gets it nobody is left, and it stops the servers and
itself. So a `manage.py` command may end before or after the `make run` beside it, and kill -9 leaves nothing.
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
from hotelagent.embedded.postgres import Postgres
from hotelagent.embedded.valkey import Valkey

USERS = "users.lock"
KEEPER = "keeper.lock"
ROSTER = "servers.json"
LOG = "servers.log"

LONGEST_PAUSE = 30.0  # seconds between two tries to restart a server
FIRST_TRIES = 6


def services(home: Path) -> tuple[Postgres, Valkey]:
    return Postgres(home / "postgres"), Valkey(home / "valkey")


class Keeper:
    def __init__(self, home: Path) -> None:
        self.run = home / "run"
        self.services = services(home)
        self.children: dict[str, Popen[bytes]] = {}
        self.nobody_left = threading.Event()

    def start_all(self) -> None:
        """Start the servers, clearing up first after a keeper that was killed. Raises EmbeddedError."""
        processes.stop_orphans(self.run / ROSTER)
        for service in self.services:
            paths.private_folder(service.home)
            service.prepare()
        for service in self.services:
            self._start(service)
        for service in self.services:
            self._settle(service)

    def _start(self, service: Postgres | Valkey) -> None:
        self.children[service.name] = service.start(sys.stderr.fileno())
        processes.write_roster(self.run / ROSTER, self.children)

    def _settle(self, service: Postgres | Valkey) -> None:
        """Wait for a server, trying again: a killed one's memory is free only when its last child ended."""
        for attempt in range(FIRST_TRIES):
            try:
                service.wait(self.children[service.name])
            except EmbeddedError:
                if attempt + 1 == FIRST_TRIES:
                    raise
                time.sleep(0.5 * 2**attempt)
                processes.sweep(self.children[service.name])
                self._start(service)
            else:
                return

    def keep(self) -> None:
        """Restart what dies, until nobody uses the servers any more."""
        pauses = dict.fromkeys(self.children, 0.0)
        while not self.nobody_left.wait(0.2):
            for service in self.services:
                if processes.has_ended(self.children[service.name]):
                    processes.sweep(self.children[service.name])
                    print(f"{service.name} died and is started again", flush=True)
                    if self.nobody_left.wait(pauses[service.name]):
                        return
                    self._start(service)
                    pauses[service.name] = min(pauses[service.name] * 2 + 0.5, LONGEST_PAUSE)

    def stop_all(self) -> None:
        for service in self.services:
            if child := self.children.get(service.name):
                processes.stop(child, signal_number=service.stop_signal, patience=service.patience)
        (self.run / ROSTER).unlink(missing_ok=True)


def wait_for_the_last_user(users: TextIO, nobody_left: threading.Event) -> None:
    fcntl.flock(users, fcntl.LOCK_EX)
    nobody_left.set()


def main(home: Path, report: int) -> int:
    """Started by `embedded.servers()`, which reads from the pipe `report`: "ready", or why not."""
    keeper = Keeper(home)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: keeper.nobody_left.set())
    with (keeper.run / KEEPER).open("w") as own, (keeper.run / USERS).open("w") as users:
        fcntl.flock(own, fcntl.LOCK_EX)
        try:
            keeper.start_all()
        except (EmbeddedError, OSError) as error:
            keeper.stop_all()
            os.write(report, str(error).encode())
            return 1
        os.write(report, b"ready")
        os.close(report)
        threading.Thread(target=wait_for_the_last_user, args=(users, keeper.nobody_left), daemon=True).start()
        keeper.keep()
        keeper.stop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))

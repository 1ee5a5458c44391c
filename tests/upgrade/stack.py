"""The processes of one release, and the socket that the web processes of all releases share."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from hotelagent.embedded import ports
from tests.chaos.process_starter import ProcessStarter

#: Whether `make upgrade` runs the tests, and not `make test`.
IS_LONG = os.environ.get("UPGRADE") == "whole"
#: The slugs of the hotels of the test database.
HOTELS = ("alpha", "beta")
TIMEOUT = 240.0  # timeout in seconds, on a machine that is busy with other tests


def wait_until(condition: Callable[[], object], *, what: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"Not within {TIMEOUT:g} s: {what}"
        time.sleep(0.02)


@contextmanager
def listening_socket() -> Iterator[socket.socket]:
    """Open the socket of the web processes, and keep it open until the end of the `with` block, as systemd does."""
    with socket.create_server((ports.LOOPBACK, 0), backlog=2048) as listener:
        yield listener


class Release:
    """The processes of one release. They end at the end of the `with` block."""

    def __init__(
        self, name: str, *, listener: socket.socket, folder: Path, environment: dict[str, str]
    ) -> None:
        self.listener = listener
        self.starter = ProcessStarter(
            {
                "DJANGO_SETTINGS_MODULE": "tests.upgrade.settings",
                "UPGRADE_RELEASE": name,
                "CODE_VERSION": name,
                # As in production. The error page of development needs much longer than a response.
                "DEBUG": "false",
                # As in Kubernetes: SIGTERM starts Celery's soft shutdown.
                "REMAP_SIGTERM": "SIGQUIT",
                **environment,
            },
            log=folder / f"{name}.log",
            module="tests.upgrade.processes",
            inherited=[listener.fileno()],
        )
        self.processes: dict[str, int] = {}

    def __enter__(self) -> Self:
        self.starter.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.starter.__exit__()

    def start(self, *kinds: str) -> None:
        """Start processes of these kinds: `web`, `worker`, `beat`."""
        for kind in kinds:
            arguments = [self.listener.fileno()] if kind == "web" else []
            self.processes[kind] = self.starter.run(kind, *arguments)

    def manage(self, *arguments: str) -> int:
        """Run a management command in a process, and return its exit status."""
        return self.starter.run("manage", *arguments)

    def migrate(self) -> None:
        assert self.manage("migrate") == 0, self.starter.log_tail()

    def terminate(self) -> dict[str, int]:
        """Send SIGTERM to all processes, wait until they end, and return the exit status of each."""
        for process in self.processes.values():
            os.kill(process, signal.SIGTERM)
        statuses = {kind: self.starter.run("wait", process) for kind, process in self.processes.items()}
        self.processes.clear()
        return statuses


#: A function that loads a release. No process of the release runs yet.
StartRelease = Callable[[str], Release]

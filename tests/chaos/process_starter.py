"""A class with which a test controls a program that starts processes, such as `tests.chaos.processes`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from hotelagent.embedded import paths
from tests.chaos.processes import BEAT_LEASE, BEAT_RENEWAL


class ProcessStarter:
    """Starts Celery workers and beats. The processes get the environment variables of the test and the given variables.

    All processes write to the log file. The end of the `with` block kills the processes.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        log: Path,
        module: str = "tests.chaos.processes",
        inherited: Sequence[int] = (),
    ) -> None:
        """`module` is the program, and `inherited` are file descriptors that its processes get."""
        self.environment = environment
        self.log = log
        self.module = module
        self.inherited = inherited

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self.program = subprocess.Popen(
                [sys.executable, "-m", self.module], pass_fds=self.inherited,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=paths.CHECKOUT,
                env={**os.environ, "LOG_LEVEL": "WARNING", **self.environment},
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self.program.stdin and self.program.stdout:
            self.program.stdin.close()
            self.program.stdout.close()
        self.program.wait(60)

    def run(self, *command: object) -> int:
        """Send a command to the program, and return the result of the command."""
        if not (self.program.stdin and self.program.stdout):
            raise RuntimeError("The program has no pipes.")
        self.program.stdin.write(json.dumps(command).encode() + b"\n")
        self.program.stdin.flush()
        result = self.program.stdout.readline()
        if not result:
            raise RuntimeError(f"The program has ended:\n{self.log_tail()}")
        return int(result)

    def start_beat(self, *, lease: int = BEAT_LEASE, renewal: float = BEAT_RENEWAL) -> int:
        """Start a Celery beat process and return its process id.

        The beat that starts first becomes the leader, which sends the periodic tasks.
        """
        return self.run("beat", lease, renewal)

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        return self.log.read_text(errors="replace")[-6000:]

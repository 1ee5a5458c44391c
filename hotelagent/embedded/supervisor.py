"""A supervisor that runs several programs in one terminal, restarts programs that end, and stops all of them."""

import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hotelagent.embedded import paths, processes

#: A program that ends after more than this number of seconds is restarted without a pause.
STABLE_AFTER = 60.0
#: Maximum number of seconds before a program that has ended is restarted.
MAX_PAUSE = 30.0
#: ANSI colour codes for the program names in the terminal. Red (31) is used for errors only.
COLOURS = ("36", "32", "33", "35", "34")
RED = "31"


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run.

    The supervisor stops a program with the signal `stop_signal`. If the program has not ended after `stop_timeout`
    seconds, the supervisor kills the program.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_signal: int = signal.SIGTERM
    stop_timeout: float = 15.0


class SupervisedProgram:
    """The state of a supervised program: its process, and the time at which the program must be started next.

    The time is infinity if no start is planned.
    """

    def __init__(self, program: Program, colour: str) -> None:
        self.program = program
        self.colour = colour
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.pause = 0.0
        self.start_at = math.inf


class Supervisor:
    """Runs and supervises programs.

    Start the programs in the main thread, because a program ends when the thread that started it ends.

    The process ids of the programs are stored in `children_file`. If the supervisor is killed, the programs keep
    running, and the next supervisor stops them.
    """

    def __init__(self, programs: Sequence[Program], *, children_file: Path) -> None:
        self.children_file = children_file
        self.supervised = [
            SupervisedProgram(program, COLOURS[number % len(COLOURS)])
            for number, program in enumerate(programs)
        ]
        self.width = max(len(program.name) for program in programs)
        self._terminal = threading.Lock()

    def print_line(self, name: str, text: str, colour: str = "1") -> None:
        """Print a line to the terminal, with the name of a program in front of it."""
        prefix = f"{name:<{self.width}} |"
        if sys.stdout.isatty():
            prefix = f"\033[{colour}m{prefix}\033[0m"
        with self._terminal:
            print(f"{prefix} {text}", flush=True)

    def forward_output(self, name: str, colour: str, output: IO[bytes]) -> None:
        """Start a thread that prints each line that a program writes, until the program closes its output."""

        def forward() -> None:
            with output:
                for line in output:
                    if text := line.decode(errors="replace").rstrip():
                        self.print_line(name, text, colour)

        threading.Thread(target=forward, daemon=True).start()

    def start(self, *names: str) -> None:
        """Start the programs with these names. Without names, start all programs that have not been started."""
        for supervised in self.supervised:
            if supervised.start_at == math.inf and (not names or supervised.program.name in names):
                supervised.start_at = time.monotonic()
                self._start(supervised)

    def _start(self, supervised: SupervisedProgram) -> None:
        program = supervised.program
        supervised.process = processes.start(
            processes.command(program.command, death_signal=program.stop_signal),
            output=subprocess.PIPE,
            environment=program.environment,
            folder=paths.CHECKOUT,
        )
        supervised.started_at = time.monotonic()
        if supervised.process.stdout:
            self.forward_output(program.name, supervised.colour, supervised.process.stdout)
        children = {other.program.name: other.process for other in self.supervised if other.process}
        processes.record_children(self.children_file, children)

    def restart_ended(self) -> None:
        """Restart programs that have ended, after a pause that grows each time.

        Call this method a few times per second.
        """
        for supervised in self.supervised:
            now = time.monotonic()
            if supervised.process and processes.has_ended(supervised.process):
                processes.kill_group(supervised.process)
                if now - supervised.started_at > STABLE_AFTER:
                    supervised.pause = 0.0
                code = supervised.process.returncode
                reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                self.print_line(
                    supervised.program.name, f"ended ({reason}), restarting in {supervised.pause:.0f} s", RED
                )
                supervised.process, supervised.start_at = None, now + supervised.pause
                supervised.pause = min(supervised.pause * 2 + 1, MAX_PAUSE)
            if not supervised.process and now >= supervised.start_at:
                self._start(supervised)

    def stop(self) -> None:
        """Send all programs their stop signal, and kill programs that have not ended within their `stop_timeout`."""
        running = [(entry.program, entry.process) for entry in self.supervised if entry.process]
        for program, process in running:
            if not processes.has_ended(process):
                process.send_signal(program.stop_signal)
        began = time.monotonic()
        for program, process in running:
            remaining = program.stop_timeout - (time.monotonic() - began)
            if not processes.wait_for_end(process, timeout=remaining):
                self.print_line(program.name, "did not end in time: killed", RED)
            processes.kill_group(process)
        self.children_file.unlink(missing_ok=True)

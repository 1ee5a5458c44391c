"""Runs several programs in one terminal, restarts those that end, and stops them together."""

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

#: If a program has run for this many seconds before it ends, it is restarted without a pause.
STABLE_AFTER = 60.0
#: Maximum number of seconds between two restarts of a program.
MAX_PAUSE = 30.0
#: ANSI colours of the program names. Red (31) is for errors.
COLOURS = ("36", "32", "33", "35", "34")
RED = "31"


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run. It gets `stop_signal`, and it is killed if it has not ended after `stop_timeout` seconds."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_signal: int = signal.SIGTERM
    stop_timeout: float = 15.0


class SupervisedProgram:
    """The state of one program: its process, and when it is to be started next (never: infinity)."""

    def __init__(self, program: Program, colour: str) -> None:
        self.program = program
        self.colour = colour
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.pause = 0.0
        self.start_at = math.inf


class Supervisor:
    """Runs the programs. Use it from the main thread: the kernel ends the programs with the thread that started them.

    `children_file` records the processes, so that the next start can stop them if this process is killed.
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
        """Print a line with the name of a program in front of it."""
        prefix = f"{name:<{self.width}} |"
        if sys.stdout.isatty():
            prefix = f"\033[{colour}m{prefix}\033[0m"
        with self._terminal:
            print(f"{prefix} {text}", flush=True)

    def forward_output(self, name: str, colour: str, output: IO[bytes]) -> None:
        """Print the lines that a program writes, in a thread, until the program closes its output."""

        def forward() -> None:
            with output:
                for line in output:
                    if text := line.decode(errors="replace").rstrip():
                        self.print_line(name, text, colour)

        threading.Thread(target=forward, daemon=True).start()

    def start(self, *names: str) -> None:
        """Start the programs with these names, or all that have not been started if no name is given."""
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
        """Restart the programs that have ended, each time after a longer pause. Call this a few times a second."""
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
        """Send all programs their stop signal, and kill those that have not ended after their timeout."""
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

"""Runs several programs as one: one terminal, each restarted when it dies, all stopped together."""

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

STEADY_AFTER = 60.0  # seconds; what ran longer is restarted at once
LONGEST_PAUSE = 30.0
COLOURS = ("36", "32", "33", "35", "34")  # of the terminal; red is left to errors


@dataclass(frozen=True, slots=True)
class Program:
    """`stop_signal` asks it to end, which it is given `patience` seconds for."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_signal: int = signal.SIGTERM
    patience: float = 15.0


class Running:
    def __init__(self, program: Program, colour: str) -> None:
        self.program = program
        self.colour = colour
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.pause = 0.0
        self.start_at = math.inf


class Supervisor:
    """Use it from the main thread: the kernel ends the programs with the thread that started them."""

    def __init__(self, programs: Sequence[Program], *, roster: Path) -> None:
        self.roster = roster
        self.running = [
            Running(program, COLOURS[number % len(COLOURS)]) for number, program in enumerate(programs)
        ]
        self.width = max(len(program.name) for program in programs)
        self._terminal = threading.Lock()

    def say(self, name: str, text: str, colour: str = "1") -> None:
        mark = f"{name:<{self.width}} |"
        if sys.stdout.isatty():
            mark = f"\033[{colour}m{mark}\033[0m"
        with self._terminal:
            print(f"{mark} {text}", flush=True)

    def follow(self, name: str, colour: str, output: IO[bytes]) -> None:
        """Repeat every line that isn't empty in the terminal, until the program closes its output."""

        def repeat() -> None:
            with output:
                for line in output:
                    if text := line.decode(errors="replace").rstrip():
                        self.say(name, text, colour)

        threading.Thread(target=repeat, daemon=True).start()

    def start(self, *names: str) -> None:
        """Start these, or with no name all that were not started yet."""
        for one in self.running:
            if one.start_at == math.inf and (not names or one.program.name in names):
                one.start_at = time.monotonic()
                self._start(one)

    def _start(self, one: Running) -> None:
        program = one.program
        one.process = processes.start(
            processes.command(program.command, death_signal=program.stop_signal),
            output=subprocess.PIPE,
            environment=program.environment,
            folder=paths.CHECKOUT,
        )
        one.started_at = time.monotonic()
        if one.process.stdout:
            self.follow(program.name, one.colour, one.process.stdout)
        children = {other.program.name: other.process for other in self.running if other.process}
        processes.write_roster(self.roster, children)

    def look(self) -> None:
        """Restart what has died, each time after a longer pause. Call it a few times a second."""
        for one in self.running:
            now = time.monotonic()
            if one.process and processes.has_ended(one.process):
                processes.sweep(one.process)
                if now - one.started_at > STEADY_AFTER:
                    one.pause = 0.0
                code = one.process.returncode
                how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                self.say(one.program.name, f"died ({how}); it is started again in {one.pause:.0f} s", "31")
                one.process, one.start_at = None, now + one.pause
                one.pause = min(one.pause * 2 + 1, LONGEST_PAUSE)
            if not one.process and now >= one.start_at:
                self._start(one)

    def stop(self) -> None:
        """Ask all to end at once, and end for good what has not after its patience."""
        living = [(one.program, one.process) for one in self.running if one.process]
        for program, process in living:
            if not processes.has_ended(process):
                process.send_signal(program.stop_signal)
        since = time.monotonic()
        for program, process in living:
            left = program.patience - (time.monotonic() - since)
            if not processes.wait_for_end(process, patience=left):
                self.say(program.name, "does not end by itself: killed", "31")
            processes.sweep(process)
        self.roster.unlink(missing_ok=True)

"""Python programs that tests run in separate processes, such as `manage.py` with other environment variables."""

import atexit
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hotelagent.embedded import paths


def run_python(
    *arguments: str, environment: Mapping[str, str] | None, folder: Path = paths.CHECKOUT
) -> "subprocess.CompletedProcess[str]":
    """Run `python <arguments>` in the folder, with these environment variables only, and wait for its end.

    The arguments begin with `-c`, `-m` or the path of a program. The process is forked from `tests.program_server`,
    which has imported the installed packages. If `environment` is None, the process has the environment of this pytest
    process, and has also loaded Django and this project.
    """
    with tempfile.TemporaryDirectory() as files:
        program = Program(*arguments, environment=environment, folder=folder, files=Path(files))
        status = program.wait()
        return subprocess.CompletedProcess(arguments, status, program.output(), program.errors())


@contextlib.contextmanager
def running_python(*arguments: str, environment: Mapping[str, str] | None = None) -> "Iterator[Program]":
    """Run `python <arguments>`, and kill the process with its children at the end of the `with` block.

    If `environment` is None, the process has the environment of this pytest process, and has already loaded Django and
    this project. Otherwise the process has these environment variables only.
    """
    with tempfile.TemporaryDirectory() as files:
        program = Program(*arguments, environment=environment, folder=paths.CHECKOUT, files=Path(files))
        try:
            yield program
        finally:
            program.kill()


class Program:
    """A Python program that runs in a process forked from `tests.program_server`, and leads a process group."""

    def __init__(
        self, *arguments: str, environment: Mapping[str, str] | None, folder: Path, files: Path
    ) -> None:
        self._output, self._errors = files / "output", files / "errors"
        for file in (self._output, self._errors):
            file.touch()
        self._server = _server("loaded") if environment is None else _server()
        self.returncode: int | None = None
        self.pid: int = self._server.send("start", {
            "arguments": arguments, "folder": str(folder),
            "environment": None if environment is None else dict(environment),
            "output": str(self._output), "errors": str(self._errors),
        })  # fmt: skip

    def output(self) -> str:
        """Return the text that the program has written to its standard output until now."""
        return self._output.read_text()

    def errors(self) -> str:
        """Return the text that the program has written to its standard error until now."""
        return self._errors.read_text()

    def has_ended(self) -> bool:
        return self.returncode is not None or bool(self._server.send("ended", self.pid))

    def wait(self) -> int:
        """Wait until the program ends, and return the exit status."""
        if self.returncode is None:
            self.returncode = self._server.send("wait", self.pid)
        return int(self.returncode or 0)

    def send_signal(self, number: int) -> None:
        # No other process can get the process id before `wait` has returned.
        if self.returncode is None:
            os.kill(self.pid, number)

    def stop(self, *, timeout: float) -> None:
        """Send SIGTERM, wait until the program ends or the timeout is over, and kill what remains of the program."""
        self.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while not self.has_ended() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.kill()

    def kill(self) -> None:
        """Kill the program and its child processes with SIGKILL, unless the program has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # a new process may have no process group yet
                os.killpg(self.pid, signal.SIGKILL)
            self.send_signal(signal.SIGKILL)
            self.wait()


class _Server:
    """The process of `tests.program_server`. It ends when this pytest process ends."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("program_server.py")), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=paths.CHECKOUT,
        )  # fmt: skip
        atexit.register(self._process.communicate)

    def send(self, request: str, argument: Any) -> Any:
        """Send the request, and return the response."""
        if not (self._process.stdin and self._process.stdout):
            raise RuntimeError("The program server has no pipes.")
        self._process.stdin.write(json.dumps([request, argument]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@functools.cache
def _server(*arguments: str) -> _Server:
    """Start the program server of this pytest process, or return the running server."""
    return _Server(*arguments)

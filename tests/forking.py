"""Functions for programs that fork the processes of a test from a process that has loaded Django."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any


def fork(function: Callable[..., object], *arguments: Any) -> int:
    """Call the function in a child process with a separate process group. Return the process id of the child."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        os.close(0)
        os.dup2(2, 1)  # only the parent writes results to the standard output
        function(*arguments)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        os._exit(status)


def kill(children: Iterable[int]) -> None:
    """Kill forked processes and their process groups. The parent has not waited for the end of these processes."""
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)  # a process that has just been forked does not lead its group yet
            os.killpg(child, signal.SIGKILL)

"""A helper that runs a function in a forked process, which the function may kill."""

import os
import signal
from collections.abc import Callable

from django.db import connections

from tenants.context import hotel_context
from tenants.models import Hotel


def run_in_fork(hotel: Hotel, function: Callable[[], object]) -> int:
    """Run the function in a forked process in the hotel's context. Return the signal that killed the process, or 0."""
    connections.close_all()  # a forked process must not use the connections of its parent
    child = os.fork()
    if child == 0:
        try:
            with hotel_context(hotel):
                function()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)

"""Whether this Celery worker is shutting down, so that long tasks can end after the item that they are processing."""

import ctypes
import multiprocessing
import signal
from collections.abc import Callable
from types import FrameType

from celery.signals import worker_ready

#: Memory that the main process of the worker shares with the processes of its pool, which are forked from it.
#: The memory has no lock. A process that is killed while it holds a lock would block the other processes.
_is_shutting_down = multiprocessing.RawValue(ctypes.c_bool, False)


def is_shutting_down() -> bool:
    """Return whether the worker of this process has received the signal to stop. Return False in other processes."""
    return bool(_is_shutting_down.value)


@worker_ready.connect
def _watch_stop_signals(**_arguments: object) -> None:
    """Set the flag as soon as a signal to stop arrives, and then call Celery's handler.

    Celery's own signal `worker_shutting_down` would be too late: Celery sends it at the end of the soft shutdown.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        handler = signal.getsignal(number)
        if callable(handler):
            signal.signal(number, _set_flag_before(handler))


def _set_flag_before(
    handler: Callable[[int, FrameType | None], object],
) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        _is_shutting_down.value = True
        handler(number, frame)

    return handle

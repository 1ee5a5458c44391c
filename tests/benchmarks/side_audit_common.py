"""Code that the benchmarks of hotelagent's audit events and of django-auditlog share.

The module imports no models, because the processes of the two projects have different settings.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from django.db import connection

#: A hold has about this number of events. Each event has a separate request.
EVENTS_PER_HOLD = 3


def call_on_threads(
    prepare: Callable[[int], AbstractContextManager[Callable[[], object]]], *, threads: int, seconds: float
) -> float:
    """Call a function repeatedly on several threads for some seconds. Return the number of calls per second.

    Each thread has its own database connection, and calls the function that `prepare` yields for the thread's number.
    """
    counts = [0] * threads
    start = threading.Barrier(threads)

    def work(number: int) -> None:
        try:
            with prepare(number) as call:
                start.wait(30)
                until = time.monotonic() + seconds
                while time.monotonic() < until:
                    call()
                    counts[number] += 1
        finally:
            connection.close()

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts) / seconds


def staff_account(number: int) -> dict[str, object]:
    """Return the values of the columns of a staff account."""
    digits = f"{number:064x}"
    return {
        "password": f"pbkdf2_sha256$1000000${digits[:22]}${digits[:44]}",
        "username": f"member-{number}",
        "full_name": f"Ana Lima {number}",
        "email": f"ana-{number}@example.com",
        "role": "front_desk",
        "language": "en",
    }

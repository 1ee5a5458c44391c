"""Functions and constants of the benchmarks of holds, used to measure hotelagent and the plain Django project.

This module does not import Django.
"""

import time
from collections.abc import Callable

#: The filled hotels of `holds.py` leave every second night from tomorrow on free in each room.
FREE_NIGHTS = 400
#: Rooms that one caller acquires. Callers do not share rooms.
ROOMS_OF_CALLER = 20


def count_calls(call: Callable[[], object], seconds: float) -> float:
    """Call the function repeatedly for some seconds, and return the number of calls."""
    end = time.perf_counter() + seconds
    calls = 0
    while time.perf_counter() < end:
        call()
        calls += 1
    return float(calls)

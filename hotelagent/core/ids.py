"""Time-ordered UUIDs (version 7, RFC 9562), made by us so that a row's key is known before it is stored."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """A UUID of version 7: 48 bits of Unix milliseconds, 12 bits of counter, 62 random bits.

    Within one process every value is larger than the one before it, also when the clock steps back: the
    counter continues into the milliseconds (RFC 9562, 6.2, method 1), so rows sort in the order of making.
    Between processes the order is that of their clocks, to the millisecond.
    """
    global _last  # noqa: PLW0603 - the counter is the process's
    now = time.time_ns() // 1_000_000 << 12
    with _lock:
        _last = stamp = max(now, _last + 1)
    random = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return uuid.UUID(int=stamp >> 12 << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random)

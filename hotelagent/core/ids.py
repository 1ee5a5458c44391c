"""Time-ordered UUIDs (version 7, RFC 9562) for primary keys.

The application generates the UUIDs, so the key of a row is known before the row is inserted.
"""

import datetime
import os
import threading
import time
import uuid

_lock = threading.Lock()
_last_timestamp = 0


def uuid7() -> uuid.UUID:
    """Return a UUID of version 7: 48 bits of Unix time in milliseconds, a 12-bit counter and 62 random bits.

    Within a process, each value is greater than the previous value, so rows sort in the order of their creation. If
    necessary, the counter carries over into the milliseconds (RFC 9562, section 6.2, method 1). Values from different
    processes are sorted by the clocks of the processes, with a precision of one millisecond.
    """
    global _last_timestamp  # noqa: PLW0603 - the counter is shared by all threads of the process
    now = time.time_ns() // 1_000_000 << 12
    with _lock:
        _last_timestamp = timestamp = max(now, _last_timestamp + 1)
    random = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return uuid.UUID(int=timestamp >> 12 << 80 | 0x7 << 76 | (timestamp & 0xFFF) << 64 | 0b10 << 62 | random)


def first_uuid7_at(moment: datetime.datetime) -> uuid.UUID:
    """Return the smallest UUID of version 7 with this time. Rows that were created earlier have smaller ids.

    No row is older than 1970, the earliest time that a UUID can contain.
    """
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)

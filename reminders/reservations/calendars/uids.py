"""The identity of calendar events, which consists of a digest of the calendar's URL and the UID of the event."""

from __future__ import annotations

import hashlib

from django.utils.crypto import salted_hmac

from hotelagent.core.text import single_line
from locks.allocations.occupancy import Span

MAX_LENGTH = 64
#: The stored URL digest of a calendar that was imported from a file, and so has no URL.
FILE_DIGEST = b""


def url_digest(url: str) -> bytes:
    """Return an HMAC of a calendar's URL. The URL itself is not used as an id, because it contains a secret token."""
    return salted_hmac("calendar address", url, algorithm="sha256").digest()


def shorten_uid(uid: str) -> str:
    """Return the UID on one line. The end of a long UID is replaced by a digest, so the result is unique."""
    uid = single_line(uid)
    return uid if len(uid) <= MAX_LENGTH else _with_digest(uid, uid.encode())


def dates_uid(uid: str, nights: Span) -> str:
    """Return a new UID for an event. The new UID contains the dates of the event.

    The new UID is used if the event has no UID, or if events on other dates have the same UID.
    """
    arrival, departure = nights
    return shorten_uid(f"{uid or 'no-uid'}-{arrival:%Y%m%d}-{departure:%Y%m%d}")


def reservation_numbers(uid: str, *, digest: bytes) -> tuple[str, str]:
    """Return two possible numbers for a new reservation. If the first number is taken, the second number is used."""
    return uid, _with_digest(uid, digest + uid.encode())


def _with_digest(uid: str, content: bytes) -> str:
    return f"{uid[: MAX_LENGTH - 17]}~{hashlib.sha256(content).hexdigest()[:16]}"

"""The cache of availability, in Redis. Its keys contain the hotel, so no hotel sees the offers of another hotel.

The cache answers searches of guests. Bookings never use it: they always ask the PMS.

- Single flight: if many callers miss the same key, one of them calls the PMS and the others wait for its result.
- Invalidation: each entry contains the generation in which it was loaded. A change starts a new generation, so entries
  whose call began before the change are not used, even if they are stored later.
- If Redis is unavailable, each search calls the PMS.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.cache import cache

from hotelagent.core.ids import uuid7
from hotelagent.pms import metrics, policy
from hotelagent.pms.errors import PmsError, PmsUnavailable
from hotelagent.pms.values import Money, Offer, StaySearch

_GENERATION_KEY = "pms:generation"
#: A generation is stored longer than the entries that belong to it.
_GENERATION_SECONDS = policy.STALE_SECONDS * 4
_POLL_SECONDS = 0.02
#: Redis counts as unavailable after this number of failed attempts to store the key `lock_key` while no process is
#: calling the PMS.
_MAX_LOCK_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Availability:
    """The offers for a search. `as_of` is the time of the call to the PMS (Unix time in seconds).

    `is_stale` is true if the offers are older than `policy.FRESH_SECONDS`, because the PMS is unavailable.
    """

    offers: tuple[Offer, ...]
    as_of: float
    is_stale: bool

    @property
    def as_of_time(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.as_of, tz=datetime.UTC)


@dataclass(frozen=True, slots=True)
class _Entry:
    """The cached state of one search: its last offers, and the last error if a call failed a moment ago."""

    generation: str
    offers: tuple[Offer, ...]
    as_of: float
    error: str = ""
    failed_at: float = 0.0


def search(request: StaySearch, *, load: Callable[[], Sequence[Offer]]) -> Availability:
    """Return the availability for a search from the cache, or call `load` and store its result.

    If `load` raises a PmsError, return the cached value if it is younger than `policy.STALE_SECONDS`, otherwise raise
    the error. Callers that waited for the call of another process get its error as PmsUnavailable.
    """
    key = _key_of(request)
    lock_key = f"{key}:loading"
    started = time.time()
    lock_attempts = 0
    while True:
        entry, generation, is_loading = _read(key, lock_key)
        if entry and time.time() - entry.as_of < policy.FRESH_SECONDS:
            metrics.AVAILABILITY.labels(source="fresh").inc()
            return Availability(entry.offers, entry.as_of, is_stale=False)
        if entry and entry.error and entry.failed_at > started - policy.CACHED_ERROR_SECONDS:
            return _stale(entry, PmsUnavailable(entry.error))
        if not is_loading:
            lock_attempts += 1
            if cache.add(lock_key, "1", policy.LOAD_LEASE_SECONDS) or lock_attempts > _MAX_LOCK_ATTEMPTS:
                return _load(key, lock_key, entry, generation, load)
        time.sleep(_POLL_SECONDS)


def invalidate() -> None:
    """Discard all cached availability of the current hotel, because a booking or the PMS has changed it."""
    cache.set(_GENERATION_KEY, uuid7().hex, _GENERATION_SECONDS)


def _load(
    key: str, lock_key: str, entry: _Entry | None, generation: str, load: Callable[[], Sequence[Offer]]
) -> Availability:
    as_of = time.time()
    try:
        offers = tuple(load())
    except PmsError as error:
        failed = entry or _Entry(generation, (), as_of=0)
        _store(
            key,
            _Entry(failed.generation, failed.offers, failed.as_of, error=error.detail, failed_at=time.time()),
        )
        return _stale(failed, error)
    else:
        _store(key, _Entry(generation, offers, as_of))
        metrics.AVAILABILITY.labels(source="loaded").inc()
        return Availability(offers, as_of, is_stale=False)
    finally:
        cache.delete(lock_key)


def _stale(entry: _Entry, error: PmsError) -> Availability:
    """Return the stale offers of the entry, or raise the error if they are too old."""
    if time.time() - entry.as_of < policy.STALE_SECONDS:
        metrics.AVAILABILITY.labels(source="stale").inc()
        return Availability(entry.offers, entry.as_of, is_stale=True)
    metrics.AVAILABILITY.labels(source="failed").inc()
    raise error


def _read(key: str, lock_key: str) -> tuple[_Entry | None, str, bool]:
    """Read everything that a search needs in one round trip to Redis.

    Return the entry if it belongs to the current generation, the current generation, and whether a process is loading.
    """
    values: dict[str, Any] = cache.get_many([key, _GENERATION_KEY, lock_key])
    generation = values.get(_GENERATION_KEY)
    if generation is None:
        # A new generation must not replace the generation of a concurrent caller.
        cache.add(_GENERATION_KEY, uuid7().hex, _GENERATION_SECONDS)
        generation = cache.get(_GENERATION_KEY) or ""
    entry = _decode(values[key]) if key in values else None
    if entry is not None and entry.generation != generation:
        entry = None
    return entry, generation, lock_key in values


def _store(key: str, entry: _Entry) -> None:
    cache.set(key, _encode(entry), policy.STALE_SECONDS)


def _key_of(request: StaySearch) -> str:
    """Return the key of a search. A digest keeps the key short and free of characters that a client chose."""
    nights = request.nights
    text = json.dumps(
        [str(nights.check_in), str(nights.check_out), request.adults, request.children, request.room_type]
    )
    return f"pms:availability:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _encode(entry: _Entry) -> str:
    offers = [
        [
            offer.room_type,
            offer.free_rooms,
            offer.price and [str(offer.price.amount), offer.price.currency],
            offer.taxes_included,
        ]
        for offer in entry.offers
    ]
    return json.dumps([entry.generation, offers, entry.as_of, entry.error, entry.failed_at])


def _decode(text: str) -> _Entry:
    generation, offers, as_of, error, failed_at = json.loads(text)
    return _Entry(
        generation=generation,
        offers=tuple(
            Offer(
                room_type=room_type,
                free_rooms=free_rooms,
                price=Money(Decimal(price[0]), price[1]) if price else None,
                taxes_included=taxes_included,
            )
            for room_type, free_rooms, price, taxes_included in offers
        ),
        as_of=as_of,
        error=error,
        failed_at=failed_at,
    )

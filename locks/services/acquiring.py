"""Holding rooms: one statement decides, the database's constraint has the last word."""

import time
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from audit.services import record_apart, record_many
from hotelagent.ids import uuid7
from locks import events, metrics, policy, refusals, sql
from locks.errors import NoRooms, RoomContended
from locks.holds import HeldRoom, Hold, held_rooms
from locks.models import StayStatus
from locks.nights import Nights
from locks.owner import digest, new_token
from locks.services.expiry import after_expiry
from locks.wanted import Wanted
from tenants import due
from tenants.errors import DomainError

#: Rooms that seem free and are lost to a rival each time: after so many times the caller is told.
ATTEMPTS = 5


def acquire(*, rooms: Sequence[int], nights: Nights, session: str = "", reference: str = "") -> Hold:
    """Hold these rooms, by their ids, for these nights: all of them or none.

    Returns the hold with its token, which is stored hashed and can't be had again. It lives for
    `policy.HOLD_SECONDS` by the database's clock. Raises UnknownRoom, DatesInPast, TooManyHolds, RoomTaken,
    NoRooms or RoomContended. Rivals for the same rooms wait for the caller's transaction: keep it short.
    """
    chosen = sorted(set(rooms))
    if len(chosen) != len(rooms):
        raise NoRooms("A room stands in the list more than once.")
    wanted = Wanted(
        nights=nights, count=len(chosen), session=session, reference=reference, rooms=tuple(chosen)
    )
    return _timed(wanted, [sql.ACQUIRE_ROOMS] * ATTEMPTS)


def acquire_any(
    *, room_type: str, nights: Nights, count: int = 1, guests: int = 1, session: str = "", reference: str = ""
) -> Hold:
    """Hold `count` rooms of a type that sleep `guests` each; the database picks rooms that are free.

    As `acquire`, with NoRoomFree where it raises RoomTaken. Callers at the same moment get different rooms.
    """
    wanted = Wanted(
        nights=nights, count=count, session=session, reference=reference, room_type=room_type, guests=guests
    )
    return _timed(wanted, [sql.ACQUIRE_ANY, *[sql.ACQUIRE_ANY_WAITING] * (ATTEMPTS - 1)])


def _timed(wanted: Wanted, statements: Sequence[str]) -> Hold:
    start = time.perf_counter()
    outcome = "error"
    try:
        hold = _acquire(wanted, statements)
        outcome = "held"
    except DomainError as error:
        outcome = error.code
        raise
    finally:
        metrics.ACQUIRE_SECONDS.labels(outcome=outcome).observe(time.perf_counter() - start)
    return hold


def _acquire(wanted: Wanted, statements: Sequence[str]) -> Hold:
    if not 1 <= wanted.count <= policy.MAX_ROOMS:
        raise NoRooms(f"{wanted.count} rooms are asked for.")
    for statement in statements:
        hold = _attempt(wanted, statement)
        if hold is not None:
            return hold
        refusal = refusals.explain(wanted)
        if refusal is not None:
            _record_refusal(wanted, refusal)
            raise refusal
    raise RoomContended


def _attempt(wanted: Wanted, statement: str) -> Hold | None:
    token = new_token()
    # One room is held or not, and what has lapsed on it has lapsed either way: no savepoint to go back to.
    with transaction.atomic(savepoint=wanted.count > 1):
        found = held_rooms(statement, _params(wanted, token))
        taken = [room for room in found if room.status is StayStatus.HELD]
        if taken and len(taken) < wanted.count:
            transaction.set_rollback(True)
            return None
        after_expiry([room for room in found if room.status is StayStatus.EXPIRED])
        if not taken:
            return None
        _after_taking(taken)
    return Hold.of(taken, token=token)


def _params(wanted: Wanted, token: str) -> dict[str, Any]:
    return {
        **wanted.params(),
        "ids": [uuid7() for _ in range(wanted.count)],
        "group_id": uuid7() if wanted.count > 1 else None,
        "digest": digest(token),
        "reference": wanted.reference,
        "seconds": policy.HOLD_SECONDS,
        "life": policy.LIFE_SECONDS,
        "extensions": policy.EXTENSIONS,
    }


def _after_taking(taken: Sequence[HeldRoom]) -> None:
    due.schedule(kind="hold", items=[(room.id, room.expires_at) for room in taken if room.expires_at])
    record_many(
        events.HOLD_ACQUIRED,
        [
            (
                ("hold", room.id),
                {
                    **room.dates,
                    "expires_at": room.expires_at,
                    "fence": room.fence,
                    "reference": room.reference,
                },
            )
            for room in taken
        ],
    )


def _record_refusal(wanted: Wanted, refusal: DomainError) -> None:
    record_apart(
        events.HOLD_REFUSED,
        wanted=wanted.what(),
        check_in=wanted.nights.check_in.isoformat(),
        check_out=wanted.nights.check_out.isoformat(),
        why=refusal.code,
        clashes=refusal.extra.get("clashes", []),
    )

"""Holding rooms: one statement decides, the database's constraint has the last word."""

import datetime
import time
from collections.abc import Sequence

from django.db import transaction

from audit.services import record_in_own_transaction, record_many
from audit.sql import acting
from hotelagent.core.ids import uuid7
from locks import events, metrics, policy, refusals, sql
from locks.errors import InvalidRoomSelection, RoomContention
from locks.holds import AllocatedRoom, Hold, held_rooms
from locks.models import AllocationStatus
from locks.nights import Nights
from locks.owner import digest, new_token
from locks.services.expiry import after_expiry, expire_holds
from locks.waiting_list.offers import offer_rooms
from locks.wanted import Wanted
from locks.webhooks.publishing import publish
from tenants.context import current_hotel
from tenants.database.functions import call_function
from tenants.errors import DomainError
from tenants.queue import due

#: Rooms that seem free and are lost to a rival each time: after so many times the caller is told.
ATTEMPTS = 5


def acquire_hold(*, rooms: Sequence[int], nights: Nights, session: str = "", reference: str = "") -> Hold:
    """Hold these rooms, by their ids, for these nights: all of them or none.

    Returns the hold with its token, which is stored hashed and can't be had again. It lives for
    `policy.HOLD_SECONDS` by the database's clock. Raises RoomNotFound, InvalidCheckIn, TooManyHolds, RoomUnavailable,
    InvalidRoomSelection or RoomContention. Rivals for the same rooms wait for the caller's transaction: keep it short.
    """
    chosen = sorted(set(rooms))
    if len(chosen) != len(rooms):
        raise InvalidRoomSelection("A room stands in the list more than once.")
    wanted = Wanted(
        nights=nights, count=len(chosen), session=session, reference=reference, rooms=tuple(chosen)
    )
    return _timed(wanted)


def acquire_hold_of_type(
    *, room_type: str, nights: Nights, count: int = 1, guests: int = 1, session: str = "", reference: str = ""
) -> Hold:
    """Hold `count` rooms of a type that sleep `guests` each; the database picks rooms that are free.

    Like `acquire_hold`, but raises RoomTypeUnavailable instead of RoomUnavailable. Concurrent callers get different
    rooms.
    """
    wanted = Wanted(
        nights=nights, count=count, session=session, reference=reference, room_type=room_type, guests=guests
    )
    return _timed(wanted)


def _timed(wanted: Wanted) -> Hold:
    start = time.perf_counter()
    outcome = "error"
    try:
        hold = _acquire(wanted)
        outcome = "held"
    except DomainError as error:
        outcome = error.code
        raise
    finally:
        metrics.ACQUIRE_SECONDS.labels(outcome=outcome).observe(time.perf_counter() - start)
    return hold


def _acquire(wanted: Wanted) -> Hold:
    if not 1 <= wanted.count <= policy.MAX_ROOMS:
        raise InvalidRoomSelection(f"{wanted.count} rooms are asked for.")
    attempt = _hold_one if wanted.count == 1 else _hold_several
    for number in range(ATTEMPTS):
        # First past the rooms that rivals are about to take, then waiting for them.
        hold = attempt(wanted, waiting=number > 0)
        if hold is not None:
            return hold
        refusal = refusals.explain(wanted)
        if refusal is not None:
            _record_refusal(wanted, refusal)
            raise refusal
    raise RoomContention


def _hold_one(wanted: Wanted, *, waiting: bool) -> Hold | None:
    """One message does it all, so there is nothing to hold together: it commits by itself where it may."""
    token, key, params = new_token(), uuid7(), wanted.params()
    lapsed, *taken = call_function(
        "locks_acquire" if wanted.rooms else "locks_acquire_any",
        {
            **params,
            **acting(),
            "hotel": str(current_hotel().id),
            "hold": str(key),
            "digest": digest(token).hex(),
            "check_in": wanted.nights.check_in.isoformat(),
            "check_out": wanted.nights.check_out.isoformat(),
            "room": wanted.rooms[0] if wanted.rooms else None,
            "waiting": waiting,
        },
    )
    if lapsed:
        metrics.ENDED.labels(how="expired").inc(lapsed)
    if not taken:
        return None
    room, number, room_type, fencing_token, begins, ends = taken
    held = AllocatedRoom(
        id=key,
        group_id=None,
        room_id=room,
        number=number,
        room_type=room_type,
        check_in=wanted.nights.check_in,
        check_out=wanted.nights.check_out,
        status=AllocationStatus.HELD,
        fencing_token=fencing_token,
        expires_at=datetime.datetime.fromisoformat(ends),
        extensions_left=policy.EXTENSIONS,
        seconds_left=policy.HOLD_SECONDS,
        holder=params["holder"],
        session=wanted.session,
        reference=wanted.reference,
        reason="",
        created_at=datetime.datetime.fromisoformat(begins),
    )
    return Hold.of([held], token=token)


def _hold_several(wanted: Wanted, *, waiting: bool) -> Hold | None:
    token = new_token()
    of_type = sql.ACQUIRE_ANY_WAITING if waiting else sql.ACQUIRE_ANY
    params = {
        **wanted.params(),
        "digest": digest(token),
        "ids": [uuid7() for _ in range(wanted.count)],
        "group_id": uuid7(),
    }
    with transaction.atomic():
        found = held_rooms(sql.ACQUIRE_ROOMS if wanted.rooms else of_type, params)
        taken = [room for room in found if room.status is AllocationStatus.HELD]
        lapsed = [room for room in found if room.status is AllocationStatus.EXPIRED]
        if taken and len(taken) < wanted.count:
            transaction.set_rollback(True)
            return None
        passed_over = publish("hold.created", [room.id for room in taken])
        if passed_over:
            transaction.set_rollback(True)
        else:
            after_expiry(lapsed)
            _after_taking(taken)
    if passed_over:  # somebody waits for one of these rooms, who goes first
        expire_holds(ids=[room.id for room in lapsed])
        offer_rooms(rooms=[room.room_id for room in taken], nights=wanted.nights)
        return None
    if not taken:
        return None
    return Hold.of(taken, token=token)


def _after_taking(taken: Sequence[AllocatedRoom]) -> None:
    due.schedule(kind="hold", items=[(room.id, room.expires_at) for room in taken if room.expires_at])
    record_many(
        events.HOLD_ACQUIRED,
        [
            (
                ("hold", room.id),
                {
                    **room.dates,
                    "expires_at": room.expires_at,
                    "fencing_token": room.fencing_token,
                    "reference": room.reference,
                },
            )
            for room in taken
        ],
    )


def _record_refusal(wanted: Wanted, refusal: DomainError) -> None:
    record_in_own_transaction(
        events.HOLD_REFUSED,
        wanted=wanted.what(),
        check_in=wanted.nights.check_in.isoformat(),
        check_out=wanted.nights.check_out.isoformat(),
        why=refusal.code,
        clashes=refusal.extra.get("clashes", []),
    )

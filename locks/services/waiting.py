"""The waiting list: first come, first offered.

Whatever frees a room makes those due who wait for it (migration 0004), and a worker looks; whoever asks for that
room meanwhile serves the line first, in the same transaction (`locks_offer` in `locks_acquire`). So nobody passes
those who wait, but staff, who decide over the hotel's rooms.
"""

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from hotelagent.ids import uuid7
from locks import events, metrics, policy, sql, waiting_sql
from locks.changes import announce
from locks.errors import (
    AlreadyClaimed,
    DatesInPast,
    NothingOffered,
    OfferMissed,
    TooManyWaiting,
    UnknownEntry,
    UnknownRoom,
)
from locks.holds import Hold, held_rooms, rows
from locks.models import IN_LINE, Room, WaitingEntry, WaitingStatus
from locks.nights import Nights
from locks.owner import digest, holder, new_token, staff_holder
from tenants import due
from tenants.clock import database_now
from tenants.context import current_hotel

#: Joining does not see a room that is being given back at that moment, nor does the giver see who joins: so the
#: entry is looked at once more, when both are committed.
LOOK_AGAIN = datetime.timedelta(seconds=20)
#: Somebody else is at work on a room that would do.
BUSY = datetime.timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Wish:
    """One room for some nights: this `room`, or where none is named any of `room_type` that sleeps so many."""

    nights: Nights
    room: int | None = None
    room_type: str = ""
    guests: int = 1
    session: str = ""
    reference: str = ""


def join(wish: Wish) -> WaitingEntry:
    """Stand in line. Where a room is free already, it is offered at once to who comes first.

    Raises UnknownRoom, DatesInPast or TooManyWaiting.
    """
    _check(wish)
    with transaction.atomic():
        entry = WaitingEntry.objects.create(
            id=uuid7(),
            room_id=wish.room,
            room_type=_type_of(wish),
            guests=wish.guests,
            nights=(wish.nights.check_in, wish.nights.check_out),
            holder=holder(),
            session=wish.session,
            reference=wish.reference,
            offer_seconds=policy.OFFER_SECONDS,
        )
        entry.refresh_from_db()
        record(
            events.WAITING_JOINED,
            subject=("waiting", entry.id),
            wanted=wanted(entry),
            check_in=wish.nights.check_in.isoformat(),
            check_out=wish.nights.check_out.isoformat(),
            reference=wish.reference,
        )
        again = BUSY if _offer(entry) else LOOK_AGAIN
        due.schedule(kind="waiting", items=[(entry.id, entry.joined_at + again)])
        entry.refresh_from_db()
    return entry


def look(entry_id: UUID) -> None:
    """See whether an entry that is due can have a room by now, or its day has passed."""
    with transaction.atomic():
        entry = WaitingEntry.objects.filter(id=entry_id).first()
        if entry is None or entry.status != WaitingStatus.WAITING:
            due.cancel(kind="waiting", ids=[entry_id])
            return
        [clock] = rows(
            "SELECT clock_timestamp() AS now, (%(day)s::timestamp AT TIME ZONE %(zone)s) AS lapses",
            {"day": entry.nights.lower + datetime.timedelta(days=1), "zone": current_hotel().time_zone},
        )
        if clock["lapses"] <= clock["now"]:
            _lapse(entry)
            return
        # First of all, for this row is what who frees a room writes too: either they wait for this transaction
        # and make the entry due again, or this one waits for theirs and sees the room free.
        due.schedule(kind="waiting", items=[(entry.id, clock["lapses"])])
        if _offer(entry):
            due.schedule(kind="waiting", items=[(entry.id, clock["now"] + BUSY)])


def claim(entry_id: UUID) -> Hold:
    """Take up an offer: the hold with its token, once. It ends when the offer would, and can be extended.

    Raises UnknownEntry, NothingOffered, AlreadyClaimed or OfferMissed.
    """
    token = new_token()
    with transaction.atomic():
        entry = _own(entry_id)
        # The hold before the entry: so does whoever ends a hold.
        found = held_rooms(
            waiting_sql.CLAIM,
            {
                "id": entry.hold_id,
                "digest": digest(token),
                "extensions": policy.EXTENSIONS,
                "life": policy.LIFE_SECONDS,
            },
        )
        moved = WaitingEntry.objects.filter(id=entry.id, status=WaitingStatus.OFFERED).update(
            status=WaitingStatus.CLAIMED, ended_at=Now()
        )
        if not found or not moved:
            entry.refresh_from_db(fields=["status"])
            raise _no_claim(entry)
        record(
            events.WAITING_CLAIMED,
            subject=("waiting", entry.id),
            **found[0].dates,
            hold=str(found[0].id),
            expires_at=found[0].expires_at,
        )
    return Hold.of(found, token=token)


def leave(entry_id: UUID) -> WaitingEntry:
    """Stop waiting; what was offered goes to the next. Again is no error. Raises UnknownEntry or AlreadyClaimed."""
    with transaction.atomic():
        entry = _own(entry_id)
        ended = (
            held_rooms(sql.FORCE_RELEASE, {"id": entry.hold_id, "reason": ""}) if _is_offered(entry) else []
        )
        left = WaitingEntry.objects.filter(id=entry.id, status__in=IN_LINE).update(
            status=WaitingStatus.LEFT, ended_at=Now()
        )
        if left:
            due.cancel(kind="waiting", ids=[entry.id])
            record(events.WAITING_LEFT, subject=("waiting", entry.id), wanted=wanted(entry))
        entry.refresh_from_db()
        if entry.status == WaitingStatus.CLAIMED:
            raise AlreadyClaimed("Release the hold that it became.")
        if ended:
            due.cancel(kind="hold", ids=[room.id for room in ended])
            for room in ended:
                record(events.HOLD_RELEASED, subject=("hold", room.id), **room.dates)
            announce("hold.released", [room.id for room in ended])
            metrics.ENDED.labels(how="released").inc(len(ended))
    return entry


def serve(*, rooms: Sequence[int], nights: Nights) -> None:
    """Offer these rooms to who waits for them on some of these nights."""
    with transaction.atomic():
        for room in sorted(rooms):
            _offer_room(room, (nights.check_in, nights.check_out))


def rooms_changed(room_types: Collection[str]) -> None:
    """Have who waits for rooms of these types looked at: there are more of them, or they sleep more."""
    waiting = WaitingEntry.objects.filter(status=WaitingStatus.WAITING, room_type__in=room_types)
    if ids := list(waiting.order_by("id").values_list("id", flat=True)):
        now = database_now()
        due.schedule(kind="waiting", items=[(entry, now) for entry in ids])


def wanted(entry: WaitingEntry) -> str:
    """For the trail."""
    return f"room {entry.room.number}" if entry.room else entry.room_type


def _check(wish: Wish) -> None:
    [situation] = rows(
        waiting_sql.WAITING_SITUATION,
        {
            "time_zone": current_hotel().time_zone,
            "room": wish.room,
            "room_type": wish.room_type,
            "guests": wish.guests,
            "holder": holder(),
            "session": wish.session,
        },
    )
    if not situation["fitting"]:
        what = (
            f"No room has the id {wish.room}." if wish.room else f"No room is of the type {wish.room_type!r}"
        )
        raise UnknownRoom(what if wish.room else f"{what} and sleeps {wish.guests}.")
    if wish.nights.check_in < situation["today"]:
        today = situation["today"].isoformat()
        raise DatesInPast(f"At the hotel it is {today}.", today=today)
    if situation["by_client"] >= policy.WAITING_PER_CLIENT:
        raise TooManyWaiting(f"You have {situation['by_client']} entries.", limit=policy.WAITING_PER_CLIENT)
    if wish.session and situation["by_session"] >= policy.WAITING_PER_SESSION:
        raise TooManyWaiting(
            f"This guest's session has {situation['by_session']} entries.", limit=policy.WAITING_PER_SESSION
        )


def _type_of(wish: Wish) -> str:
    return Room.objects.values_list("room_type", flat=True).get(id=wish.room) if wish.room else wish.room_type


def _offer(entry: WaitingEntry) -> bool:
    """Offer what is free to who comes first for it, until this entry has a room; whether a room was busy."""
    busy = False
    params = {
        "room": entry.room_id,
        "room_type": entry.room_type,
        "guests": entry.guests,
        "check_in": entry.nights.lower,
        "check_out": entry.nights.upper,
    }
    for row in rows(waiting_sql.FREE_FOR_ENTRY, params):
        busy |= not _offer_room(row["id"], (entry.nights.lower, entry.nights.upper))
        entry.refresh_from_db(fields=["status", "hold_id"])
        if entry.status != WaitingStatus.WAITING:
            return False
    return busy


def _offer_room(room: int, nights: tuple[datetime.date, datetime.date]) -> bool:
    hotel = current_hotel()
    params: dict[str, Any] = {
        "hotel": hotel.id,
        "time_zone": hotel.time_zone,
        "room": room,
        "check_in": nights[0],
        "check_out": nights[1],
    }
    [row] = rows(waiting_sql.OFFER, params)
    return bool(row["looked"])


def _lapse(entry: WaitingEntry) -> None:
    lapsed = WaitingEntry.objects.filter(id=entry.id, status=WaitingStatus.WAITING).update(
        status=WaitingStatus.LAPSED, ended_at=Now()
    )
    due.cancel(kind="waiting", ids=[entry.id])
    if lapsed:
        record(events.WAITING_LAPSED, subject=("waiting", entry.id), wanted=wanted(entry))


def _own(entry_id: UUID) -> WaitingEntry:
    """The client's own entry; staff may act for anybody."""
    entry = WaitingEntry.objects.select_related("room").filter(id=entry_id).first()
    if entry is None or (entry.holder != holder() and staff_holder() is None):
        raise UnknownEntry(f"There is no entry {entry_id} of yours.")
    return entry


def _is_offered(entry: WaitingEntry) -> bool:
    return entry.status == WaitingStatus.OFFERED


def _no_claim(entry: WaitingEntry) -> Exception:
    match entry.status:
        case WaitingStatus.WAITING:
            return NothingOffered()
        case WaitingStatus.CLAIMED:
            return AlreadyClaimed()
        case _:
            return OfferMissed()

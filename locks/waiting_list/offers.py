"""Whom a room is offered to: first come, first offered.

Whatever frees a room makes those due who wait for it (migration 0004), and a worker looks; whoever asks for that
room meanwhile serves the line first, in the same transaction (`locks_offer` in `locks_acquire`). So nobody passes
those who wait, but staff, who decide over the hotel's rooms.
"""

import datetime
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from locks.holds import rows
from locks.nights import Nights
from locks.waiting_list import events
from locks.waiting_list import sql as waiting_sql
from locks.waiting_list.models import WaitingListEntry, WaitingStatus
from tenants.context import current_hotel
from tenants.database.clock import database_now
from tenants.queue import due

#: Somebody else is at work on a room that would do.
BUSY = datetime.timedelta(seconds=2)


def process_entry(entry_id: UUID) -> None:
    """See whether an entry that is due can have a room by now, or its day has passed."""
    with transaction.atomic():
        entry = WaitingListEntry.objects.filter(id=entry_id).first()
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
        if offer_free_rooms(entry):
            due.schedule(kind="waiting", items=[(entry.id, clock["now"] + BUSY)])


def offer_rooms(*, rooms: Sequence[int], nights: Nights) -> None:
    """Offer these rooms to who waits for them on some of these nights."""
    with transaction.atomic():
        for room in sorted(rooms):
            _offer_room(room, (nights.check_in, nights.check_out))


def schedule_entries(room_types: Collection[str]) -> None:
    """Have who waits for rooms of these types looked at: there are more of them, or they sleep more."""
    waiting = WaitingListEntry.objects.filter(status=WaitingStatus.WAITING, room_type__in=room_types)
    if ids := list(waiting.order_by("id").values_list("id", flat=True)):
        now = database_now()
        due.schedule(kind="waiting", items=[(entry, now) for entry in ids])


def offer_free_rooms(entry: WaitingListEntry) -> bool:
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


def describe_request(entry: WaitingListEntry) -> str:
    """For the trail."""
    return f"room {entry.room.number}" if entry.room else entry.room_type


def _lapse(entry: WaitingListEntry) -> None:
    lapsed = WaitingListEntry.objects.filter(id=entry.id, status=WaitingStatus.WAITING).update(
        status=WaitingStatus.EXPIRED, ended_at=Now()
    )
    due.cancel(kind="waiting", ids=[entry.id])
    if lapsed:
        record(events.ENTRY_EXPIRED, subject=("waiting_list_entry", entry.id), wanted=describe_request(entry))

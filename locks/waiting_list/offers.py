"""Offers free rooms to the waiting list, starting with the oldest entry.

When a transaction frees a room, suitable waiting list entries become due, and a worker offers the room to these
entries. If a client tries to hold the room before the worker runs, the room is first offered to the waiting list. Moves
and closures ignore the waiting list, because staff decide about the hotel's rooms.
"""

import datetime
from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from locks.database import fetch_rows
from locks.nights import Nights
from locks.waiting_list import events, policy
from locks.waiting_list import sql as waiting_sql
from locks.waiting_list.models import WaitingListEntry, WaitingStatus
from tenants.context import current_hotel
from tenants.database.clock import database_now
from tenants.queue import due


def process_entry(entry_id: UUID) -> None:
    """Try to offer a room to a waiting list entry, or expire the entry if its check-in date has passed."""
    with transaction.atomic():
        entry = WaitingListEntry.objects.filter(id=entry_id).first()
        if entry is None or entry.status != WaitingStatus.WAITING:
            due.cancel(kind="waiting", ids=[entry_id])
            return
        [time] = fetch_rows(
            "SELECT clock_timestamp() AS now, (%(day)s::timestamp AT TIME ZONE %(zone)s) AS entry_expires_at",
            {"day": entry.nights.lower + datetime.timedelta(days=1), "zone": current_hotel().time_zone},
        )
        if time["entry_expires_at"] <= time["now"]:
            _expire_entry(entry)
            return
        # `due.schedule` locks the due item of the waiting list entry, as transactions that free a room do.
        # If a room is freed before `due.schedule` locks the due item, the function `offer_free_rooms` finds the room.
        # If a room is freed later, the transaction that frees the room makes the waiting list entry due again.
        due.schedule(kind="waiting", items=[(entry.id, time["entry_expires_at"])])
        if not offer_free_rooms(entry):
            due.schedule(kind="waiting", items=[(entry.id, time["now"] + policy.RETRY_LOCKED_ROOM_AFTER)])


def offer_rooms(*, rooms: Sequence[int], nights: Nights) -> None:
    """Offer the rooms to suitable waiting list entries whose nights overlap with the given nights."""
    with transaction.atomic():
        for room in sorted(rooms):
            _offer_room(room, check_in=nights.check_in, check_out=nights.check_out)


def schedule_entries(room_types: Collection[str]) -> None:
    """Make the waiting list entries for rooms of these types due, so that a worker processes them now.

    Call this function after rooms of these types were added or enlarged.
    """
    waiting = WaitingListEntry.objects.filter(status=WaitingStatus.WAITING, room_type__in=room_types)
    if ids := list(waiting.order_by("id").values_list("id", flat=True)):
        now = database_now()
        due.schedule(kind="waiting", items=[(entry_id, now) for entry_id in ids])


def offer_free_rooms(entry: WaitingListEntry) -> bool:
    """Offer suitable rooms to waiting list entries, until the given entry has an offer.

    Each room is offered to the oldest entry that it suits. Return False if the entry has no offer because another
    transaction had locked one of the rooms. Updates `entry`.
    """
    params = {
        "room": entry.room_id,
        "room_type": entry.room_type,
        "guests": entry.guests,
        "check_in": entry.nights.lower,
        "check_out": entry.nights.upper,
    }
    any_locked = False
    for row in fetch_rows(waiting_sql.FREE_ROOMS, params):
        was_locked = not _offer_room(row["id"], check_in=entry.nights.lower, check_out=entry.nights.upper)
        any_locked = any_locked or was_locked
        entry.refresh_from_db(fields=["status", "hold_id"])
        if entry.status != WaitingStatus.WAITING:
            return True
    return not any_locked


def _offer_room(room: int, *, check_in: datetime.date, check_out: datetime.date) -> bool:
    """Offer the room to suitable waiting list entries with nights in this period, oldest first.

    An entry gets no offer if the room is not free on all of its nights. Return False if another transaction has locked
    the room.
    """
    hotel = current_hotel()
    [row] = fetch_rows(
        waiting_sql.OFFER,
        {
            "hotel": hotel.id,
            "time_zone": hotel.time_zone,
            "room": room,
            "check_in": check_in,
            "check_out": check_out,
        },
    )
    return bool(row["was_free_to_lock"])


def _expire_entry(entry: WaitingListEntry) -> None:
    expired = WaitingListEntry.objects.filter(id=entry.id, status=WaitingStatus.WAITING).update(
        status=WaitingStatus.EXPIRED, ended_at=Now()
    )
    due.cancel(kind="waiting", ids=[entry.id])
    if expired:
        record(events.ENTRY_EXPIRED, subject=("waiting_list_entry", entry.id), requested=entry.requested)

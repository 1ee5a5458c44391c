"""Stores bookings by the thousand: stays, reservations and reminders of a chunk in one transaction."""

from __future__ import annotations

import operator
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection, transaction

from hotelagent.core.ids import uuid7
from hotelagent.demo import guests
from locks.services import Arranged, Placement, arrange, lock_types
from reminders.models import Reservation
from reminders.planning import planner
from reminders.planning.planner import PlanningResult
from reminders.reservations.changes import Change, apply_changes
from reminders.reservations.importing import comparing
from reminders.reservations.importing.parsing import Booking

#: Rows of one transaction. A killed import has stored whole chunks, and a second run goes on behind them.
CHUNK = 2_000

_COLUMNS = (
    "id", "external_id", "status", "arrival", "departure", "guest_name", "guest_email", "guest_phone", "language",
    "country", "adults", "children", "room_type", "assigned_room_type", "source", "booked_on", "status_date", "stay_id",
)  # fmt: skip
_COPY = f"COPY reminders_reservation ({', '.join(_COLUMNS)}) FROM STDIN"


@dataclass(slots=True)
class Item:
    """A booking and, if it takes a room, which."""

    booking: Booking
    room: int | None
    is_refused: bool  # its invented address is one that the mail catcher refuses


@dataclass(frozen=True, slots=True)
class Stored:
    """`reservations` are the new ones."""

    reservations: list[Reservation]
    updated: int
    unchanged: int
    arranged: Sequence[Arranged]
    planned: PlanningResult


def known(numbers: Sequence[str]) -> set[str]:
    """Those of these numbers that the hotel has a reservation of."""
    return set(Reservation.objects.filter(external_id__in=numbers).values_list("external_id", flat=True))


def differing(items: Sequence[Item], *, today: date) -> set[str]:
    """The numbers of those that the hotel has otherwise than the file says."""
    return comparing.differing(_said(items, today=today).values())


def store(items: Sequence[Item], *, today: date, now: datetime) -> Stored:
    """Store what the hotel does not have yet, and bring what it has otherwise to what the file says.

    `items` have different numbers. One transaction. Raises RoomContended, and IntegrityError where somebody else stores
    the same booking at the same moment.
    """
    with transaction.atomic():
        there = known([item.booking.number for item in items])
        changes = _changes([item for item in items if item.booking.number in there], today=today)
        if changes:
            # All in one order before any is taken: the changed and the new are given rooms one after the other.
            lock_types({item.booking.given_type for item in items})
        changed = apply_changes(changes)
        new = [item for item in items if item.booking.number not in there]
        arranged = arrange(placements=_placements(new))
        stays = {placement.reference: placement.id for placement in arranged.placed}
        reservations = [
            reservation_of(item, stay=stays.get(item.booking.number), today=today) for item in new
        ]
        _insert(reservations)
        planned = changed.planned + planner.plan_reminders(reservations, now=now, are_new=True)
    return Stored(
        reservations, len(changes), len(there) - len(changes), [*changed.arranged, arranged], planned
    )


def _changes(items: Sequence[Item], *, today: date) -> list[Change]:
    """Of those that the hotel has otherwise; they are locked. Most of a nightly file is as it was."""
    said = _said(items, today=today)
    other = comparing.differing(said.values()) if said else set()
    if not other:
        return []
    stored = Reservation.objects.select_for_update(of=("self",)).filter(external_id__in=other).order_by("id")
    rows = {reservation.external_id: reservation for reservation in stored}
    return [
        Change(
            rows[item.booking.number],
            fields,
            room=item.room,
            room_type=item.booking.given_type,
        )
        for item in items
        if item.booking.number in rows
        and (fields := comparing.changes(rows[item.booking.number], said[item.booking.number]))
    ]


def _said(items: Sequence[Item], *, today: date) -> dict[str, comparing.Said]:
    return {item.booking.number: comparing.said(item.booking, today=today) for item in items}


def reservation_of(item: Item, *, stay: uuid.UUID | None, today: date) -> Reservation:
    """The row of a booking, with a guest invented where the file names none."""
    booking = item.booking
    name = booking.guest_name or guests.name_of(booking.number, booking.country)
    email = booking.guest_email
    if not booking.guest_name and not email:
        email = guests.email_of(booking.number, name, is_refused=item.is_refused)
    return Reservation(
        id=uuid7(),
        external_id=booking.number,
        status=comparing.status_of(booking, today=today),
        arrival=booking.arrival,
        departure=booking.departure,
        guest_name=name,
        guest_email=email,
        guest_phone=booking.guest_phone,
        language=booking.language or guests.language_of(booking.country),
        country=booking.country,
        adults=booking.adults,
        children=booking.children or 0,
        room_type=booking.booked_type,
        assigned_room_type=booking.given_type,
        source=booking.source,
        booked_on=booking.booked_on,
        status_date=booking.status_date,
        stay_id=stay,
    )


def _placements(items: Sequence[Item]) -> list[Placement]:
    return [
        Placement(
            room=item.room,
            check_in=item.booking.arrival,
            check_out=item.booking.departure,
            reference=item.booking.number,
            room_type=item.booking.given_type,
        )
        for item in items
        if item.room is not None
    ]


def _insert(reservations: Sequence[Reservation]) -> None:
    if not reservations:
        return
    row = operator.attrgetter(*_COLUMNS)
    # Django speaks of errors in its own words only where it runs the statement itself.
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for reservation in reservations:
            copy.write_row(row(reservation))

"""Stores bookings by the thousand: stays, reservations and reminders of a chunk in one transaction."""

from __future__ import annotations

import operator
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection, transaction

from hotelagent.ids import uuid7
from locks.nights import Nights
from locks.selectors import availability
from locks.services import Placement, ensure_rooms, place_stays
from reminders import planning
from reminders.importing import guests
from reminders.importing.parsing import Booking
from reminders.models import Reservation, ReservationStatus
from reminders.planning import Plan

#: Rows of one transaction. A killed import has stored whole chunks, and a second run goes on behind them.
CHUNK = 2_000

_COLUMNS = (
    "id", "external_id", "status", "arrival", "departure", "guest_name", "guest_email", "guest_phone", "language",
    "country", "adults", "children", "room_type", "source", "booked_on", "status_date", "stay_id",
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
    reservations: list[Reservation]
    unchanged: int
    stays: int
    moved: int
    plan: Plan


def known(numbers: Sequence[str]) -> set[str]:
    """Those of these numbers that the hotel has a reservation of."""
    return set(Reservation.objects.filter(external_id__in=numbers).values_list("external_id", flat=True))


def store(items: Sequence[Item], *, today: date, now: datetime) -> Stored:
    """Store what the hotel does not have yet. One transaction.

    Raises IntegrityError where somebody else stores the same booking at the same moment.
    """
    with transaction.atomic():
        there = known([item.booking.number for item in items])
        new: dict[str, Item] = {}
        for item in items:
            if item.booking.number not in there:
                new.setdefault(item.booking.number, item)
        stays, moved = _place(list(new.values()))
        reservations = [
            reservation_of(item, stay=stays.get(number), today=today) for number, item in new.items()
        ]
        _insert(reservations)
        plan = planning.plan(reservations, now=now, are_new=True)
    return Stored(reservations, len(items) - len(new), len(stays), moved, plan)


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
        status=_status(booking, today=today),
        arrival=booking.arrival,
        departure=booking.departure,
        guest_name=name,
        guest_email=email,
        guest_phone=booking.guest_phone,
        language=booking.language or guests.language_of(booking.country),
        country=booking.country,
        adults=booking.adults,
        children=booking.children,
        room_type=booking.booked_type,
        source=booking.source,
        booked_on=booking.booked_on,
        status_date=booking.status_date,
        stay_id=stay,
    )


def _status(booking: Booking, *, today: date) -> str:
    """A stay that was moved into the future has not ended, and its guest may still come: today's too."""
    is_over = (booking.status_date or booking.departure) < today
    if booking.status in {ReservationStatus.CHECKED_OUT, ReservationStatus.NO_SHOW} and not is_over:
        return ReservationStatus.BOOKED
    return booking.status


def _place(items: Sequence[Item]) -> tuple[dict[str, uuid.UUID], int]:
    """Number of the booking -> its stay, and how many did not get the room they were meant for."""
    wanted = [
        Placement(
            room=item.room,
            check_in=item.booking.arrival,
            check_out=item.booking.departure,
            reference=item.booking.number,
        )
        for item in items
        if item.room is not None
    ]
    if not wanted:
        return {}, 0
    result = place_stays(wanted)
    types = {item.booking.number: item.booking.given_type for item in items}
    placed = [*result.placed, *(_place_elsewhere(p, types[p.reference]) for p in result.refused)]
    return {placement.reference: placement.id for placement in placed}, len(result.refused)


def _place_elsewhere(refused: Placement, room_type: str) -> Placement:
    """Into another room of the type; where none is free, into one made for it."""
    nights = Nights(refused.check_in, refused.check_out, limit=(refused.check_out - refused.check_in).days)
    free = [room.id for room in availability(nights=nights, room_type=room_type).free]
    while True:
        if not free:
            count = len(ensure_rooms({}).get(room_type, []))
            free = ensure_rooms({room_type: count + 1})[room_type][-1:]
        another = Placement(
            room=free.pop(0),
            check_in=refused.check_in,
            check_out=refused.check_out,
            reference=refused.reference,
        )
        if place_stays([another]).placed:
            return another


def _insert(reservations: Sequence[Reservation]) -> None:
    if not reservations:
        return
    row = operator.attrgetter(*_COLUMNS)
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for reservation in reservations:
            copy.write_row(row(reservation))

"""Functions that store bookings in batches.

The reservations, stays and reminders of a batch are stored in one transaction.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from hotelagent.core.ids import uuid7
from locks.services import NewStay, Reallocation, lock_rooms_of_types, reallocate
from reminders.models import Reservation, ReservationStatus
from reminders.planning import planner
from reminders.planning.planner import PlanningResult
from reminders.reservations.changes import Change, apply_changes, occupied_nights
from reminders.reservations.importing.booking import Booking
from reminders.reservations.importing.comparison import (
    FieldValues,
    changed_fields,
    field_values,
    find_changed,
)

#: The number of rows in a batch. Each batch is one transaction, so a killed import can continue after its last batch.
BATCH_SIZE = 2_000

_COLUMNS = (
    "id", "external_id", "status", "arrival", "departure", "guest_name", "guest_email", "guest_phone", "language",
    "country", "adults", "children", "room_type", "assigned_room_type", "additional_room_types", "source",
    "booked_on", "status_date", "stay_id",
)  # fmt: skip
_COPY = f"COPY reminders_reservation ({', '.join(_COLUMNS)}) FROM STDIN"


@dataclass(frozen=True, slots=True)
class BatchResult:
    created: int
    updated: int
    unchanged: int
    #: The reservations that were created. The list is empty in a dry run.
    reservations: Sequence[Reservation] = ()
    arranged: Sequence[Reallocation] = ()
    reminders: PlanningResult = field(default_factory=PlanningResult)


def compare_batch(bookings: Sequence[Booking]) -> BatchResult:
    """Return how many reservations `store_batch` would create and update. Nothing is stored."""
    existing = find_existing([booking.number for booking in bookings])
    changed = find_changed([field_values(booking) for booking in bookings]) if existing else set()
    return BatchResult(
        created=len(bookings) - len(existing),
        updated=len(changed),
        unchanged=len(existing) - len(changed),
    )


def store_batch(bookings: Sequence[Booking]) -> BatchResult:
    """Create the reservations that the hotel does not have, and update reservations that differ from the file.

    All changes are made in one transaction. Booking numbers must be unique within the batch. Raises RoomContention.
    """
    try:
        return _store_batch(bookings)
    except IntegrityError:
        # Meanwhile, an API client has created a reservation of this batch. The second attempt updates the reservation.
        return _store_batch(bookings)


def _store_batch(bookings: Sequence[Booking]) -> BatchResult:
    with transaction.atomic():
        existing = find_existing([booking.number for booking in bookings])
        changes = _changes([booking for booking in bookings if booking.number in existing])
        if changes:
            # All rooms are locked first, because two imports that lock rooms in a different order can cause a deadlock.
            # `apply_changes` locks only the rooms of changed stays. `reallocate` locks the rooms of new stays later.
            lock_rooms_of_types({room_type for booking in bookings for room_type in booking.room_types})
        changed = apply_changes(changes)
        new = [booking for booking in bookings if booking.number not in existing]
        reservations, new_stays = [], []
        for booking in new:
            reservation = _reservation(booking)
            placements = _placements(booking, reservation)
            reservation.stay_id = placements[0].id if placements else None
            reservations.append(reservation)
            new_stays += placements
        arranged = reallocate(new_stays=new_stays)
        _copy(reservations)
        planned = planner.plan_reminders(reservations, now=timezone.now(), are_new=True)
    return BatchResult(
        created=len(new),
        updated=len(changes),
        unchanged=len(existing) - len(changes),
        reservations=reservations,
        arranged=[*changed.reallocations, arranged],
        reminders=changed.planned + planned,
    )


def find_existing(numbers: Sequence[str]) -> set[str]:
    """Return the booking numbers for which the hotel already has a reservation."""
    return set(Reservation.objects.filter(external_id__in=numbers).values_list("external_id", flat=True))


def _changes(bookings: Sequence[Booking]) -> list[Change]:
    """Lock the reservations that differ from the file, and return their changes.

    Most bookings in a nightly export have not changed. Unchanged reservations are neither loaded nor locked.
    """
    values: dict[str, FieldValues] = {booking.number: field_values(booking) for booking in bookings}
    changed = find_changed(values.values()) if values else set()
    if not changed:
        return []
    locked = (
        Reservation.objects.select_for_update(of=("self",)).filter(external_id__in=changed).order_by("id")
    )
    reservations = {reservation.external_id: reservation for reservation in locked}
    return [
        Change(
            reservations[booking.number],
            fields,
            room=booking.room_ids[0] if booking.room_ids else None,
            room_type=booking.assigned_room_type,
            additional_rooms=booking.room_ids[1:],
        )
        for booking in bookings
        if booking.number in reservations
        and (fields := changed_fields(reservations[booking.number], values[booking.number]))
    ]


def _reservation(booking: Booking) -> Reservation:
    return Reservation(
        id=uuid7(),
        external_id=booking.number,
        status=booking.status or ReservationStatus.BOOKED,
        arrival=booking.arrival,
        departure=booking.departure,
        guest_name=booking.guest_name,
        guest_email=booking.guest_email,
        guest_phone=booking.guest_phone,
        language=booking.language,
        country=booking.country,
        adults=booking.adults or 1,
        children=booking.children or 0,
        room_type=booking.room_type,
        assigned_room_type=booking.assigned_room_type,
        additional_room_types=list(booking.room_types[1:]),
        source=booking.source,
        booked_on=booking.booked_on,
        status_date=booking.status_date,
    )


def _placements(booking: Booking, reservation: Reservation) -> list[NewStay]:
    """Return a stay for each room of the booking. The stays of a no-show end today.

    The stays of a booking with several rooms form a group, and the id of the group is the id of the reservation.
    """
    nights = occupied_nights(reservation)
    if nights is None:
        return []
    return [
        NewStay(
            room=room,
            check_in=nights[0],
            check_out=nights[1],
            reference=booking.number,
            room_type=room_type,
            group_id=reservation.id if len(booking.room_ids) > 1 else None,
        )
        for room, room_type in zip(booking.room_ids, booking.room_types, strict=False)
    ]


def _copy(reservations: Sequence[Reservation]) -> None:
    """Insert the reservations with PostgreSQL's COPY command."""
    if not reservations:
        return
    columns = operator.attrgetter(*_COLUMNS)
    # COPY bypasses Django's cursor, so database errors must be converted to Django's exceptions here.
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for reservation in reservations:
            copy.write_row(columns(reservation))

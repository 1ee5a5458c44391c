"""The service with which the front desk creates a reservation for a walk-in guest or for a guest on the phone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from django.db import transaction

from locks.models import Room
from locks.nights import Nights
from reminders.front_desk.arrivals import check_arrival, record_check_in
from reminders.front_desk.dates import check_arrival_date
from reminders.front_desk.numbers import free_numbers
from reminders.front_desk.rooms import occupy_rooms
from reminders.local_time import today
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.services import ReservationFields, create_reservation, publish_first_status


def book_at_front_desk(
    *, rooms: Sequence[int], is_arriving: bool = False, **fields: Unpack[ReservationFields]
) -> Reservation:
    """Create a reservation with a new booking number, assign the rooms with these ids, and return the reservation.

    Until `NIGHT_ENDS_AT` the arrival can be yesterday, for guests who arrive after midnight. If `is_arriving`, the
    guest is also checked in. If a room cannot be assigned, nothing is stored. Raises InvalidReservation
    or ReservationStateError. Raises the errors of `locks.services.acquire_hold`, such as RoomUnavailable.
    """
    arrival, departure = fields["arrival"], fields["departure"]
    Nights(arrival, departure)
    check_arrival_date(arrival)
    status = ReservationStatus.CHECKED_IN if is_arriving else ReservationStatus.BOOKED
    first_room = Room.objects.filter(id__in=rooms).order_by("id").first()
    own_fields: ReservationFields = {
        "status": status,
        "room_type": first_room.room_type if first_room else "",
        "booked_on": today(),
        "status_date": today(),
    }
    with transaction.atomic():
        reservation = create_reservation(
            numbers=free_numbers(today()),
            **(fields | own_fields),
        )
        occupy_rooms(reservation, rooms)
        if is_arriving:
            record_check_in(reservation, check_arrival(reservation))
            publish_first_status(reservation)
    return reservation

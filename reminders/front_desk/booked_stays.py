"""The reservations of stays, for operations of the app `locks` on single stays (`locks.services.bookings`)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from locks.errors import StayBelongsToReservation
from locks.models import Allocation
from locks.nights import Nights
from locks.services import move_allocation, move_remaining_nights
from locks.services.bookings import Booking
from reminders.errors import ReservationStateError
from reminders.front_desk.dates import check_dates, store_dates
from reminders.front_desk.locked import lock, stays
from reminders.front_desk.rooms import record_move
from reminders.local_time import today
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.changes import store_new_version
from reminders.selectors import reservations_of_stays


class Reservations:
    """The implementation of `locks.services.bookings.Bookings`."""

    def find(self, stay_ids: Collection[uuid.UUID]) -> Booking | None:
        reservation = reservations_of_stays(list(stay_ids)).order_by("id").first()
        return _booking(reservation) if reservation else None

    def move(self, stay_id: uuid.UUID, *, room: int, nights: Nights) -> bool:
        """Move the stay of a reservation, and give the reservation the same dates. See `Bookings.move`.

        If the guest is in house, the nights before today stay in the old room. Raises ReservationStateError,
        InvalidReservation or RoomUnavailable. Raises StayBelongsToReservation if the dates of the reservation would
        change and it has other stays, which would keep the old dates.
        """
        reservation = reservations_of_stays([stay_id]).first()
        if reservation is None:
            return False
        stored = lock(reservation.id, action="dates")
        current = {stay.id: stay for stay in stays(stored)}
        if stay_id not in current:
            return False  # another clerk has cancelled the stay or given it to another reservation
        _move(stored, current[stay_id], room=room, nights=nights, is_only_stay=len(current) == 1)
        return True


def _move(stored: Reservation, stay: Allocation, *, room: int, nights: Nights, is_only_stay: bool) -> None:
    arrival, departure = _dates(stored, stay, nights)
    has_new_dates = (arrival, departure) != (stored.arrival, stored.departure)
    if has_new_dates and not is_only_stay:
        booking = _booking(stored)
        raise StayBelongsToReservation(
            _(
                "The reservation {number} has several rooms. Change the dates of the reservation instead: {url}"
            ).format(number=booking.number, url=booking.url),
            reservation=booking.url,
        )
    if has_new_dates:
        check_dates(stored, arrival=arrival, departure=departure)
    if room != stay.room_id and nights.check_out <= today():
        raise ReservationStateError(_("The departure date has passed."), status_now=stored.status)
    from_room = stay.room.number
    if stored.status == ReservationStatus.CHECKED_IN and room != stay.room_id:
        moved = move_remaining_nights(stay.id, room=room, first=today(), check_out=nights.check_out)
    else:
        moved = move_allocation(stay.id, room=room, nights=nights)
    if has_new_dates:
        store_dates(stored, arrival=arrival, departure=departure)
    else:
        store_new_version(stored)
    if moved.number != from_room:
        record_move(stored, room=moved.number, from_room=from_room)


def _dates(stored: Reservation, stay: Allocation, nights: Nights) -> tuple[date, date]:
    """Return the arrival and departure of the reservation after its stay has got these nights.

    The arrival changes only if the stay gets another check-in date, and the departure only if it gets another check-out
    date. A stay may begin after the arrival, for example if the guest has moved to another room.
    """
    arrival = stored.arrival if nights.check_in == stay.check_in else nights.check_in
    departure = stored.departure if nights.check_out == stay.check_out else nights.check_out
    return arrival, departure


def _booking(reservation: Reservation) -> Booking:
    url = reverse("reservation-detail", args=[reservation.id], urlconf=settings.HOTEL_URLCONF)
    return Booking(reservation.external_id, url)

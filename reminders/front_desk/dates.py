"""The service that changes the dates of a reservation: a guest stays longer, leaves earlier or comes on other days."""

from __future__ import annotations

import uuid
from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record
from locks.nights import Nights
from locks.services import move_allocation
from reminders import events
from reminders.errors import InvalidReservation
from reminders.front_desk.locked import CURRENT, lock, stays
from reminders.local_time import today
from reminders.models import Reservation, ReservationStatus
from reminders.planning.replan import schedule_replan_of_other_stays
from reminders.reservations.changes import Change, update_reservations


def change_dates(
    *, reservation_id: uuid.UUID, arrival: date, departure: date, version: str | None = None
) -> Reservation:
    """Change the dates of the reservation and of its stays, and return the reservation.

    The guest keeps the room. If the room is not free on the new nights, nothing is changed. Raises ReservationNotFound,
    ReservationStateError, ReservationConflict or InvalidReservation. Raises RoomUnavailable or InvalidDateRange.
    """
    with transaction.atomic():
        stored = lock(reservation_id, statuses=CURRENT, version=version)
        Nights(arrival, departure)
        _check(stored, arrival=arrival, departure=departure)
        before = {"from_arrival": stored.arrival, "from_departure": stored.departure}
        if (arrival, departure) == (stored.arrival, stored.departure):
            return stored
        for stay in stays(stored):
            check_in = stay.check_in if arrival == stored.arrival else arrival
            move_allocation(stay.id, room=stay.room_id, nights=Nights(check_in, departure))
        dates = {"arrival": arrival, "departure": departure}
        update_reservations([Change(stored, dates)])
        schedule_replan_of_other_stays(stored, addresses=[stored.guest_email])
        record(
            events.RESERVATION_DATES_CHANGED,
            subject=("reservation", stored.id),
            number=stored.external_id,
            **dates,
            **before,
        )
    return stored


def _check(stored: Reservation, *, arrival: date, departure: date) -> None:
    if arrival != stored.arrival and stored.status == ReservationStatus.CHECKED_IN:
        _refuse("arrival", _("The guest has checked in, so the arrival date can't change."))
    if arrival != stored.arrival and arrival < today():
        _refuse("arrival", _("The arrival date is in the past."))
    if departure < today():
        _refuse("departure", _("The departure date is in the past."))


def _refuse(field: str, text: str) -> None:
    raise InvalidReservation(text, errors={field: [text]})

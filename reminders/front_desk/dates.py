"""The service that changes the dates of a reservation: a guest stays longer, leaves earlier or comes on other days."""

from __future__ import annotations

import uuid
from datetime import date
from typing import NoReturn

from django.db import transaction
from django.utils.formats import time_format
from django.utils.translation import gettext as _

from audit.services import record
from locks.nights import Nights
from locks.services import move_allocation
from reminders import events
from reminders.errors import InvalidReservation
from reminders.front_desk.locked import lock, stays
from reminders.local_time import NIGHT_ENDS_AT, first_open_night, today
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
        stored = lock(reservation_id, action="dates", version=version)
        Nights(arrival, departure)
        check_dates(stored, arrival=arrival, departure=departure)
        if (arrival, departure) == (stored.arrival, stored.departure):
            return stored
        for stay in stays(stored):
            check_in = stay.check_in if arrival == stored.arrival else arrival
            move_allocation(stay.id, room=stay.room_id, nights=Nights(check_in, departure))
        store_dates(stored, arrival=arrival, departure=departure)
    return stored


def store_dates(stored: Reservation, *, arrival: date, departure: date) -> None:
    """Store new dates of a locked reservation whose stays have been moved, and record the change.

    Runs in the caller's transaction.
    """
    dates = {"arrival": arrival, "departure": departure}
    before = {"from_arrival": stored.arrival, "from_departure": stored.departure}
    changed = {name: day for name, day in dates.items() if day != getattr(stored, name)}
    update_reservations([Change(stored, changed)])
    schedule_replan_of_other_stays(stored, addresses=[stored.guest_email])
    record(
        events.RESERVATION_DATES_CHANGED,
        subject=("reservation", stored.id),
        number=stored.external_id,
        **dates,
        **before,
    )


def check_arrival_date(arrival: date) -> None:
    """Check that the night of the arrival is not over. Raises InvalidReservation."""
    if arrival < first_open_night():
        _refuse(
            "arrival",
            _("The arrival date is in the past. The night before today can be booked until {time}.").format(
                time=time_format(NIGHT_ENDS_AT)
            ),
        )


def check_dates(stored: Reservation, *, arrival: date, departure: date) -> None:
    """Raise InvalidReservation if the reservation can't get these dates."""
    if arrival != stored.arrival and stored.status == ReservationStatus.CHECKED_IN:
        _refuse("arrival", _("The guest has checked in, so the arrival date can't change."))
    if arrival != stored.arrival:
        check_arrival_date(arrival)
    if departure < today():
        _refuse("departure", _("The departure date is in the past."))


def _refuse(field: str, text: str) -> NoReturn:
    raise InvalidReservation(text, errors={field: [text]})

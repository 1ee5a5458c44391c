"""Services for guests who arrive, leave or do not appear: check-in, check-out, no-show and their reversal."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import record
from locks.models import Allocation, AllocationStatus
from locks.services import cancel_stay
from reminders import events
from reminders.errors import ReservationStateError
from reminders.front_desk.conditions import obstacle_to_arrival
from reminders.front_desk.locked import lock, room_numbers, stays
from reminders.local_time import today
from reminders.models import Reservation, ReservationStatus
from reminders.planning.replan import schedule_replan_of_other_stays
from reminders.reservations.changes import Change, store_new_version, update_reservations
from reminders.reservations.services import lock_reservation
from reminders.selectors import reservations_of_stays

_ONE_DAY = timedelta(days=1)
_FORGOTTEN_AFTER = timedelta(days=7)


def check_in(*, reservation_id: uuid.UUID) -> Reservation:
    """Record that the guest has checked in, and return the reservation.

    A guest can check in from the arrival date until the departure date. The reservation must have a room, and the
    previous guest of the room must have checked out. Raises ReservationNotFound or ReservationStateError.
    """
    with transaction.atomic():
        stored = lock(reservation_id, action="check_in")
        rooms = check_arrival(stored)
        _change_status(stored, ReservationStatus.CHECKED_IN)
        record_check_in(stored, rooms)
    return stored


def check_out(*, reservation_id: uuid.UUID) -> Reservation:
    """Record that the guest has checked out, and return the reservation.

    If the guest leaves before the departure date, the departure date becomes today, and the remaining nights are free.
    A guest who leaves on the arrival date has no night in the room: the reservation keeps one night, which is the
    minimum, and loses its room. Raises ReservationNotFound or ReservationStateError.
    """
    with transaction.atomic():
        stored = lock(reservation_id, action="check_out")
        rooms, departed_on, booked_until = stays(stored), today(), stored.departure
        earliest = stored.arrival + _ONE_DAY
        _change_status(
            stored,
            ReservationStatus.CHECKED_OUT,
            departure=min(stored.departure, max(departed_on, earliest)),
        )
        if departed_on < earliest:
            for stay in rooms:
                cancel_stay(stay.id)
            stored.stay_id = None
            store_new_version(stored)
        record(
            events.GUEST_CHECKED_OUT,
            subject=("reservation", stored.id),
            number=stored.external_id,
            room=room_numbers(rooms),
            departure=stored.departure,
            from_departure=booked_until,
        )
    return stored


def confirm_inquiry(*, reservation_id: uuid.UUID) -> Reservation:
    """Record that the guest has confirmed an inquiry, and return the reservation. A second call changes nothing.

    The reminders of the reservation are planned. The reservation keeps its rooms, and may have none. Raises
    ReservationNotFound. Raises ReservationStateError if the reservation is neither an inquiry nor booked, or after the
    departure date.
    """
    with transaction.atomic():
        stored = lock_reservation(reservation_id)
        if stored.status == ReservationStatus.BOOKED:
            return stored
        stored = lock(reservation_id, action="confirm")
        _change_status(stored, ReservationStatus.BOOKED)
        record(events.RESERVATION_CONFIRMED, subject=("reservation", stored.id), number=stored.external_id)
    return stored


def mark_no_show(*, reservation_id: uuid.UUID) -> Reservation:
    """Record that the guest did not arrive, and return the reservation.

    The rooms are free on the nights that are not over. Earlier nights stay occupied, because they can't be sold any
    more. Scheduled reminders are cancelled. Raises ReservationNotFound. Raises ReservationStateError before the arrival
    date.
    """
    with transaction.atomic():
        stored = lock(reservation_id, action="no_show")
        _change_status(stored, ReservationStatus.NO_SHOW)
        record(events.RESERVATION_NO_SHOW, subject=("reservation", stored.id), number=stored.external_id)
    return stored


def reinstate(*, reservation_id: uuid.UUID) -> Reservation:
    """Change the status back to "booked", and return the reservation. This reverses a check-in or a no-show.

    The reservation keeps its rooms if a check-in is reversed, and has no room if a no-show is reversed. Raises
    ReservationNotFound. Raises ReservationStateError after the departure date, or if the guest checked in before today.
    """
    with transaction.atomic():
        stored = lock(reservation_id, action="reinstate")
        previous = stored.status
        if previous == ReservationStatus.NO_SHOW:
            for stay in stays(stored):
                cancel_stay(stay.id)
            stored.stay_id = None
        _change_status(stored, ReservationStatus.BOOKED)
        record(
            events.RESERVATION_REINSTATED,
            subject=("reservation", stored.id),
            number=stored.external_id,
            was=previous,
        )
    return stored


def record_check_in(stored: Reservation, rooms: list[Allocation]) -> None:
    """Record the check-in of a guest. Runs in the caller's transaction."""
    record(
        events.GUEST_CHECKED_IN,
        subject=("reservation", stored.id),
        number=stored.external_id,
        room=room_numbers(rooms),
    )


def check_arrival(stored: Reservation) -> list[Allocation]:
    """Return the stays of the reservation. Raises ReservationStateError if the guest can't check in today."""
    if (obstacle := obstacle_to_arrival(stored, today=today())) is not None:
        raise ReservationStateError(obstacle, status_now=stored.status)
    rooms = stays(stored)
    if not rooms:
        raise ReservationStateError(_("Assign a room before the check-in."), status_now=stored.status)
    if previous := _previous_guest(stored, rooms):
        raise ReservationStateError(
            _("The previous guest of the room has not checked out (reservation {number}).").format(
                number=previous
            ),
            status_now=stored.status,
        )
    return rooms


def _previous_guest(stored: Reservation, rooms: list[Allocation]) -> str | None:
    """Return the number of another reservation whose guest is still in one of the rooms, or None.

    Stays that ended more than a week ago are ignored, because the front desk probably forgot to record the check-out.
    """
    recent = Allocation.objects.filter(
        nights__overlap=DateRange(today() - _FORGOTTEN_AFTER, today() + _ONE_DAY),
        room__in=[stay.room_id for stay in rooms],
        status=AllocationStatus.CONFIRMED,
    ).exclude(id__in=[stay.id for stay in rooms])
    in_house = reservations_of_stays(recent.values("id")).filter(status=ReservationStatus.CHECKED_IN)
    return in_house.exclude(id=stored.id).values_list("external_id", flat=True).first()


def _change_status(stored: Reservation, status: ReservationStatus, *, departure: date | None = None) -> None:
    fields: dict[str, Any] = {"status": status, "status_date": today()}
    if departure is not None and departure != stored.departure:
        fields["departure"] = departure
    update_reservations([Change(stored, fields, at=timezone.now())])
    schedule_replan_of_other_stays(stored, addresses=[stored.guest_email])

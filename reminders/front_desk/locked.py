"""Functions that lock a reservation, check whether the front desk may change it, and read its rooms."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from locks.models import Allocation
from reminders.errors import ReservationConflict, ReservationStateError
from reminders.front_desk.conditions import obstacle_to
from reminders.local_time import today
from reminders.models import Reservation
from reminders.reservations.services import lock_reservation
from reminders.selectors import stays_of


def lock(reservation_id: uuid.UUID, *, action: str, version: str | None = None) -> Reservation:
    """Lock the reservation and return it. Runs in the caller's transaction.

    `action` is the name of an action in `conditions`. `version` is the version that the user has seen, or None if the
    action is also allowed after other changes. Raises ReservationNotFound. Raises ReservationStateError if the status
    or the dates of the reservation do not allow the action. Raises ReservationConflict if the reservation has another
    version.
    """
    stored = lock_reservation(reservation_id)
    if (obstacle := obstacle_to(action, stored, today=today())) is not None:
        raise ReservationStateError(str(obstacle), status_now=stored.status)
    if version is not None and stored.version != version:
        raise ReservationConflict(
            str(_("The reservation was changed in the meantime. Check its current data and try again."))
        )
    return stored


def stays(reservation: Reservation) -> list[Allocation]:
    """Return the stays of the reservation with their rooms, in the order of the ids of the rooms."""
    found = stays_of(reservation.id, stay_id=reservation.stay_id)
    return list(found.select_related("room").order_by("room_id"))


def room_numbers(reservation_stays: Collection[Allocation]) -> str:
    """Return the numbers of the rooms as text."""
    return ", ".join(stay.room.number for stay in reservation_stays)

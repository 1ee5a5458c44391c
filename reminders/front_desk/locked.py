"""Functions that lock a reservation and check whether the front desk may change it."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from locks.models import Allocation
from reminders.errors import ReservationConflict, ReservationStateError
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.services import lock_reservation
from reminders.selectors import stays_of

#: The statuses in which the guest is expected or in house, so that the room and the dates can change.
CURRENT = frozenset({ReservationStatus.BOOKED, ReservationStatus.INQUIRY, ReservationStatus.CHECKED_IN})
_OBSTACLES = {
    ReservationStatus.BOOKED: _("The guest has not checked in."),
    ReservationStatus.INQUIRY: _("The guest has not confirmed the booking."),
    ReservationStatus.CHECKED_IN: _("The guest has already checked in."),
    ReservationStatus.CHECKED_OUT: _("The guest has already checked out."),
    ReservationStatus.NO_SHOW: _("The reservation is marked as a no-show."),
    ReservationStatus.CANCELLED: _("The reservation is cancelled."),
}


def lock(
    reservation_id: uuid.UUID, *, statuses: Collection[ReservationStatus], version: str | None = None
) -> Reservation:
    """Lock the reservation and return it. Runs in the caller's transaction.

    `version` is the version that the caller has seen, or None if another change does not matter. Raises
    ReservationNotFound. Raises ReservationStateError if the status is not in `statuses`. Raises ReservationConflict if
    the reservation has another version.
    """
    stored = lock_reservation(reservation_id)
    if stored.status not in statuses:
        raise ReservationStateError(
            str(_OBSTACLES[ReservationStatus(stored.status)]), status_now=stored.status
        )
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

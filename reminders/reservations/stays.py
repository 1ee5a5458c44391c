"""The function that assigns the stays of a hold to a reservation."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _

from audit.services import record
from locks.services import cancel_stay, confirm_hold_for_booking
from reminders import events
from reminders.errors import InvalidReservation, StayConflict
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.changes import link_stays
from reminders.selectors import reservations_of_stays, stays_of


@dataclass(frozen=True, slots=True)
class HoldReference:
    """The hold of one or more rooms that belongs to a booking, and the tokens that the client got with the hold.

    The client can confirm the hold before the reservation is stored. Otherwise, storing the reservation confirms the
    hold.
    """

    id: uuid.UUID
    token: str | None
    fencing_token: int


def assign_hold(reservation: Reservation, hold: HoldReference) -> None:
    """Confirm the hold, and make its stays the stays of the reservation. Cancel the earlier stays.

    Runs in the caller's transaction. The caller must have locked the reservation. A second call with the same hold
    changes nothing. Raises InvalidReservation, StayConflict or an error of `locks.services.confirm_hold`.
    """
    if reservation.status == ReservationStatus.CANCELLED:
        raise InvalidReservation(_("A cancelled reservation can't have a hold."))
    confirmed = confirm_hold_for_booking(
        hold.id,
        token=hold.token,
        fencing_token=hold.fencing_token,
        booking_id=reservation.id,
        reference=reservation.external_id,
    )
    rooms = confirmed.rooms
    if (rooms[0].check_in, rooms[0].check_out) != (reservation.arrival, reservation.departure):
        raise InvalidReservation(
            _("The hold is from {check_in} to {check_out}, but the reservation has other dates.").format(
                check_in=rooms[0].check_in, check_out=rooms[0].check_out
            )
        )
    ids = [room.id for room in rooms]
    if other := _other_reservation(reservation, stays=ids):
        raise StayConflict(_("The stay belongs to the reservation {number}.").format(number=other))
    stays = stays_of(reservation.id, stay_id=reservation.stay_id)
    previous = set(stays.values_list("id", flat=True)) - set(ids)
    if reservation.stay_id in ids and not previous:
        return
    for stay in sorted(previous):
        cancel_stay(stay)
    link_stays(reservation, rooms)
    record(
        events.RESERVATION_CHANGED,
        subject=("reservation", reservation.id),
        number=reservation.external_id,
        changed="stay",
    )


def _other_reservation(reservation: Reservation, *, stays: Collection[uuid.UUID]) -> str | None:
    """Return the number of another reservation that has one of the stays, or None."""
    others = reservations_of_stays(stays).exclude(id=reservation.id)
    return others.values_list("external_id", flat=True).first()

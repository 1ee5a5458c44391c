"""Services that give a reservation a room, and that move a guest to another room."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record
from locks.nights import Nights
from locks.selectors import Availability, availability
from locks.services import (
    acquire_hold,
    confirm_hold_for_booking,
    confirm_rooms,
    move_remaining_nights,
)
from reminders import events
from reminders.errors import ReservationStateError
from reminders.front_desk.locked import lock, room_numbers, stays
from reminders.local_time import first_open_night, today
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.changes import link_stays, store_new_version

_ONE_DAY = timedelta(days=1)


def assign_rooms(
    *, reservation_id: uuid.UUID, rooms: Sequence[int], version: str | None = None
) -> Reservation:
    """Give the reservation the rooms with these ids, and return the reservation. The reservation must have no room.

    Nights that are over are not occupied. Raises ReservationNotFound, ReservationStateError or ReservationConflict.
    Raises the errors of `locks.services.acquire_hold`, such as RoomUnavailable.
    """
    with transaction.atomic():
        stored = lock(reservation_id, action="assign_room", version=version)
        if stays(stored):
            raise ReservationStateError(_("The reservation already has a room."), status_now=stored.status)
        occupy_rooms(stored, rooms)
        record(
            events.ROOM_ASSIGNED,
            subject=("reservation", stored.id),
            number=stored.external_id,
            room=room_numbers(stays(stored)),
        )
    return stored


def move_guest(
    *, reservation_id: uuid.UUID, stay_id: uuid.UUID, room: int, version: str | None = None
) -> Reservation:
    """Move one of the reservation's stays to another room, and return the reservation.

    If the guest is in house, only the nights from today on are moved. Raises ReservationNotFound, ReservationStateError
    or ReservationConflict. Raises RoomNotFound or RoomUnavailable.
    """
    with transaction.atomic():
        stored = lock(reservation_id, action="move", version=version)
        current = {stay.id: stay for stay in stays(stored)}
        if stay_id not in current:
            raise ReservationStateError(_("The guest no longer has this room."), status_now=stored.status)
        previous = current[stay_id]
        if previous.room_id == room:
            raise ReservationStateError(_("The guest already has this room."), status_now=stored.status)
        if previous.check_out <= today():  # a stay may end before the departure date of its reservation
            raise ReservationStateError(_("The departure date has passed."), status_now=stored.status)
        first = today() if stored.status == ReservationStatus.CHECKED_IN else previous.check_in
        moved = move_remaining_nights(stay_id, room=room, first=first)
        store_new_version(stored)
        record_move(stored, room=moved.number, from_room=previous.room.number)
    return stored


def record_move(stored: Reservation, *, room: str, from_room: str) -> None:
    """Record that the guest gets another room. `room` and `from_room` are room numbers."""
    record(
        events.GUEST_MOVED,
        subject=("reservation", stored.id),
        number=stored.external_id,
        room=room,
        from_room=from_room,
    )


def free_rooms(reservation: Reservation) -> Availability:
    """Return the rooms to which the reservation can be moved, or that can be assigned to it.

    The rooms are free on those nights of the reservation that are not over.
    """
    return availability(nights=open_nights(reservation))


def open_nights(reservation: Reservation) -> Nights:
    """Return the nights of the reservation that are not over, or the last night if all nights are over."""
    last_night = reservation.departure - _ONE_DAY
    first = today() if reservation.status == ReservationStatus.CHECKED_IN else first_open_night()
    return Nights(min(max(reservation.arrival, first), last_night), reservation.departure)


def occupy_rooms(reservation: Reservation, rooms: Sequence[int]) -> None:
    """Occupy rooms for a reservation that has none. Runs in the caller's transaction.

    The caller must have locked the reservation. Raises the errors of `locks.services.acquire_hold`.
    """
    nights = open_nights(reservation)
    if first_open_night() <= nights.check_in < today():
        # For a guest who arrives after midnight, the first night began yesterday, but a hold can't begin in the past.
        confirmed_rooms = confirm_rooms(
            rooms=rooms, nights=nights, booking_id=reservation.id, reference=reservation.external_id
        )
        link_stays(reservation, confirmed_rooms)
        return
    hold = acquire_hold(rooms=rooms, nights=nights, reference=reservation.external_id)
    assert hold.fencing_token is not None  # noqa: S101 - a new hold has a fencing token
    confirmed = confirm_hold_for_booking(
        hold.id,
        token=hold.token,
        fencing_token=hold.fencing_token,
        booking_id=reservation.id,
        reference=reservation.external_id,
    )
    link_stays(reservation, confirmed.rooms)

"""Services that create, change and cancel reservations. Reminders are planned in the same transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TypedDict, Unpack

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record
from reminders import events
from reminders.errors import (
    ReservationConflict,
    ReservationNotFound,
    ReservationStateError,
)
from reminders.local_time import today
from reminders.models import Reservation, ReservationStatus
from reminders.planning.replan import schedule_replan_of_other_stays
from reminders.reservations import storage
from reminders.reservations.changes import Change, update_reservations
from reminders.reservations.status_events import publish_status_events
from reminders.reservations.stays import HoldReference, assign_hold
from reminders.selectors import stay_ids_of


class ReservationFields(TypedDict, total=False):
    """The fields of a booking in the hotel's PMS. Fields that are omitted get the default of the model."""

    arrival: date
    departure: date
    guest_name: str
    guest_email: str
    guest_phone: str
    language: str
    country: str
    adults: int
    children: int
    room_type: str
    source: str
    status: str
    booked_on: date | None
    status_date: date | None


def upsert_reservation(
    *,
    external_id: str,
    may_change: Callable[[str | None], bool] = lambda _version: True,
    hold: HoldReference | None = None,
    **fields: Unpack[ReservationFields],
) -> tuple[Reservation, bool]:
    """Create the reservation with this PMS number, or update it if it exists.

    Return the reservation, and True if it was created. `may_change` receives the version of the locked reservation, or
    None if the reservation does not exist. `may_change` returns whether the reservation may be stored. If `hold` is
    given, the hold is confirmed in the same transaction, and its stays become the stays of the reservation. Without
    `hold`, the reservation keeps its stays. A second call with the same values changes nothing. Raises
    InvalidReservation, ReservationConflict, or an error of `assign_hold`.
    """
    requested = storage.validate(Reservation(**storage.normalize({**fields, "external_id": external_id})))
    with transaction.atomic():
        reservation, is_new = _store(requested, may_change=may_change)
        if hold is not None:
            assign_hold(reservation, hold)
            if is_new:
                publish_first_status(reservation)
        return reservation, is_new


def merge_reservation(
    *, external_id: str, **fields: Unpack[ReservationFields]
) -> tuple[Reservation, str | None]:
    """Create the reservation with this PMS number, or change only the given fields if it exists.

    Return the reservation, and its version before the call, or None if it was created. Fields that are omitted keep
    their stored values. Raises InvalidReservation.
    """
    requested = storage.normalize({**fields, "external_id": external_id})
    reservations = Reservation.objects.select_for_update(of=("self",))
    with transaction.atomic():
        stored = reservations.filter(external_id=requested["external_id"]).first()
        if stored is None:
            if (created := storage.create(storage.validate(Reservation(**requested)))) is not None:
                return created, None
            # Another process has created the reservation in the meantime.
            stored = reservations.get(external_id=requested["external_id"])
        version = stored.version
        return storage.change(stored, requested), version


def publish_first_status(reservation: Reservation) -> None:
    """Create the webhook deliveries of the status with which the reservation was created, such as a check-in.

    Runs in the caller's transaction, after the reservation has got its stays.
    """
    stays = stay_ids_of([reservation])[reservation.id]
    publish_status_events([(ReservationStatus.BOOKED, reservation.status, stays)])


def check_reservation(*, external_id: str, **fields: Unpack[ReservationFields]) -> None:
    """Raise InvalidReservation if a reservation with these fields could not be stored. Nothing is stored."""
    storage.validate(Reservation(**storage.normalize({**fields, "external_id": external_id})))


def _store(requested: Reservation, *, may_change: Callable[[str | None], bool]) -> tuple[Reservation, bool]:
    """Create or update the reservation. Return the reservation and whether it is new. Raises ReservationConflict."""
    if may_change(None) and (created := storage.create(requested)) is not None:
        return created, True
    reservations = Reservation.objects.select_for_update(of=("self",))
    stored = reservations.filter(external_id=requested.external_id).first()
    if stored is None:
        raise ReservationConflict(
            _("There is no reservation with the number {number}.").format(number=requested.external_id)
        )
    if not may_change(stored.version):
        raise ReservationConflict(
            _("The reservation was changed since you read it. Read it again and repeat your change.")
        )
    return storage.update(stored, requested), False


def create_calendar_reservation(
    *, calendar_digest: bytes, calendar_uid: str, numbers: Sequence[str], **fields: Unpack[ReservationFields]
) -> Reservation:
    """Create the reservation of a calendar event, and return the reservation.

    The reservation gets the first of the possible `numbers` that is not in use. `calendar_digest` and `calendar_uid`
    identify the event. Raises InvalidReservation. Raises ReservationConflict if no number is free, or if another
    process has stored the event.
    """
    for number in numbers:
        requested = Reservation(
            **storage.normalize({**fields, "external_id": number}),
            calendar_digest=calendar_digest,
            calendar_uid=calendar_uid,
        )
        with transaction.atomic():
            if (created := storage.create(storage.validate(requested))) is not None:
                return created
        if Reservation.objects.filter(calendar_digest=calendar_digest, calendar_uid=calendar_uid).exists():
            break
    raise ReservationConflict(_("Another reservation has the number {number}.").format(number=numbers[0]))


def create_reservation(*, numbers: Iterable[str], **fields: Unpack[ReservationFields]) -> Reservation:
    """Create a reservation with the first of the possible `numbers` that is not in use. Return the reservation.

    Raises InvalidReservation. Raises ReservationConflict if all numbers are in use.
    """
    for number in numbers:
        requested = Reservation(**storage.normalize({**fields, "external_id": number}))
        with transaction.atomic():
            if (created := storage.create(storage.validate(requested))) is not None:
                return created
    raise ReservationConflict(_("No reservation number is free. Try again."))


def cancel_reservation(*, reservation_id: uuid.UUID) -> Reservation:
    """Cancel the reservation, its stay and its scheduled reminders. A second call changes nothing.

    Raises ReservationNotFound, or ReservationStateError if the guest has checked in.
    """
    with transaction.atomic():
        stored = lock_reservation(reservation_id)
        if stored.status == ReservationStatus.CANCELLED:
            return stored
        if stored.status == ReservationStatus.CHECKED_IN:
            raise ReservationStateError(
                _(
                    "The guest is in house, so the reservation can't be cancelled. Check the guest out instead."
                ),
                status_now=stored.status,
            )
        if stored.status == ReservationStatus.CHECKED_OUT:
            raise ReservationStateError(
                _("The guest has checked out, so the reservation can't be cancelled."),
                status_now=stored.status,
            )
        update_reservations([Change(stored, {"status": ReservationStatus.CANCELLED, "status_date": today()})])
        schedule_replan_of_other_stays(stored, addresses=[stored.guest_email])
        record(events.RESERVATION_CANCELLED, subject=("reservation", stored.id), number=stored.external_id)
    return stored


class GuestFields(TypedDict, total=False):
    """The fields of a reservation that the front desk may edit. Fields that are omitted are not changed."""

    guest_name: str
    guest_email: str
    guest_phone: str
    language: str


def update_guest(*, reservation_id: uuid.UUID, **guest: Unpack[GuestFields]) -> Reservation:
    """Update the guest data of the reservation.

    Raises ReservationNotFound, InvalidReservation, or ReservationStateError if the reservation is cancelled.
    """
    with transaction.atomic():
        stored = lock_reservation(reservation_id)
        if stored.status == ReservationStatus.CANCELLED:
            raise ReservationStateError(
                _("The reservation is cancelled, so it can't be changed."), status_now=stored.status
            )
        return storage.change(stored, storage.normalize(guest))


def lock_reservation(reservation_id: uuid.UUID) -> Reservation:
    """Lock the reservation and return it. Runs in the caller's transaction. Raises ReservationNotFound."""
    reservation = Reservation.objects.select_for_update(of=("self",)).filter(id=reservation_id).first()
    if reservation is None:
        raise ReservationNotFound
    return reservation

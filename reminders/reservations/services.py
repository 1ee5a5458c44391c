"""Storing, changing and cancelling reservations. The reminders follow in the same transaction."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import record
from hotelagent.core.text import single_line
from reminders import events
from reminders.errors import (
    InvalidReservation,
    ReservationConflict,
    ReservationNotFound,
    ReservationStateError,
)
from reminders.local_time import hotel_time_zone, local_date
from reminders.models import Reservation, ReservationStatus
from reminders.planning import planner
from reminders.planning.replan import schedule_replan_of_other_stays
from reminders.reservations import changes
from reminders.reservations.changes import Change


class ReservationFields(TypedDict, total=False):
    """What the hotel's own system says about a booking. What is left out has the model's default."""

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


#: For `upsert_reservation`: whatever version it has, so long as it is there.
ANY_VERSION = "*"


def upsert_reservation(
    *, external_id: str, version: str | None = None, **fields: Unpack[ReservationFields]
) -> tuple[Reservation, bool]:
    """Store the reservation that the hotel's system calls `external_id`, or bring it to these values.

    With `version` (`Reservation.version` or ANY_VERSION) it must be there, and be at that version. Returns it and
    whether it is new. The same values again change nothing. Raises InvalidReservation or ReservationConflict.
    """
    wanted = _validated(Reservation(**_tidied({**fields, "external_id": external_id})))
    with transaction.atomic():
        if version is None and (new := _insert(wanted)) is not None:
            planner.plan_reminders([new], now=timezone.now(), are_new=True)
            schedule_replan_of_other_stays(new, addresses=[new.guest_email])
            record(
                events.RESERVATION_CREATED,
                subject=("reservation", new.id),
                number=new.external_id,
                arrival=new.arrival,
                departure=new.departure,
            )
            return new, True
        stored = (
            Reservation.objects.select_for_update(of=("self",)).filter(external_id=wanted.external_id).first()
        )
        if stored is None:
            raise ReservationConflict(f"There is no reservation {wanted.external_id} here any more.")
        if version not in {None, ANY_VERSION, stored.version}:
            raise ReservationConflict(
                "Somebody has changed it since. Read it again, and put your change into what it says now."
            )
        return _bring_to(stored, wanted), False


def cancel_reservation(*, reservation_id: uuid.UUID) -> Reservation:
    """Cancel it, and with it every reminder that has not gone. Cancelling again changes nothing.

    Raises ReservationNotFound, or ReservationStateError for a stay that is over.
    """
    with transaction.atomic():
        stored = Reservation.objects.select_for_update(of=("self",)).filter(id=reservation_id).first()
        if stored is None:
            raise ReservationNotFound
        if stored.status == ReservationStatus.CANCELLED:
            return stored
        if stored.status == ReservationStatus.CHECKED_OUT:
            raise ReservationStateError(
                _("The guest has checked out: there is nothing to cancel."), status_now=stored.status
            )
        today = local_date(timezone.now(), zone=hotel_time_zone())
        changes.write([Change(stored, {"status": ReservationStatus.CANCELLED, "status_date": today})])
        schedule_replan_of_other_stays(stored, addresses=[stored.guest_email])
        record(events.RESERVATION_CANCELLED, subject=("reservation", stored.id), number=stored.external_id)
    return stored


def correct_guest(
    *, reservation_id: uuid.UUID, guest_name: str, guest_email: str, guest_phone: str, language: str
) -> Reservation:
    """What the front desk may correct: how the guest is called and reached.

    Raises ReservationNotFound or InvalidReservation.
    """
    with transaction.atomic():
        stored = Reservation.objects.select_for_update(of=("self",)).filter(id=reservation_id).first()
        if stored is None:
            raise ReservationNotFound
        wanted = copy.copy(stored)
        guest = _tidied(
            {
                "guest_name": guest_name,
                "guest_email": guest_email,
                "guest_phone": guest_phone,
                "language": language,
            }
        )
        for name, value in guest.items():
            setattr(wanted, name, value)
        return _bring_to(stored, _validated(wanted))


_TEXTS = (
    "external_id",
    "guest_name",
    "guest_email",
    "guest_phone",
    "language",
    "country",
    "room_type",
    "source",
)
#: Which room a booking is given is a file's to say.
_COMPARED = tuple(name for name in changes.COLUMNS if name != "assigned_room_type")


def _tidied(fields: Mapping[str, Any]) -> dict[str, Any]:
    """One line each: what is in a reservation comes to stand in a mail's headers."""
    tidied: dict[str, Any] = dict(fields)
    for name in _TEXTS:
        if isinstance(tidied.get(name), str):
            tidied[name] = single_line(tidied[name])
    if "language" in tidied:
        tidied["language"] = tidied["language"].lower().replace("_", "-")
    if "country" in tidied:
        tidied["country"] = tidied["country"].upper()
    return tidied


def _validated(reservation: Reservation) -> Reservation:
    try:
        reservation.clean_fields()
        reservation.clean()
        reservation.validate_constraints(exclude={"external_id", "stay"})
    except ValidationError as error:
        errors = error.message_dict
        first = next(iter(errors.items()))
        raise InvalidReservation(f"{first[0]}: {first[1][0]}", errors=errors) from error
    return reservation


def _insert(reservation: Reservation) -> Reservation | None:
    """None where the hotel has one of this number already: the unique constraint says so."""
    try:
        with transaction.atomic():
            reservation.save(force_insert=True)
    except IntegrityError:
        if not Reservation.objects.filter(external_id=reservation.external_id).exists():
            raise
        return None
    reservation.refresh_from_db(fields=["updated_at"])
    return reservation


def _bring_to(stored: Reservation, wanted: Reservation) -> Reservation:
    changed = {
        name: getattr(wanted, name) for name in _COMPARED if getattr(wanted, name) != getattr(stored, name)
    }
    if changed:
        before = stored.guest_email
        changes.apply_changes([Change(stored, changed)])
        if changed.keys() & {"status", "arrival", "departure", "guest_email"}:
            schedule_replan_of_other_stays(stored, addresses={before, stored.guest_email})
    return stored

"""The steps that store one reservation: validation, and the creation or change with its reminders and audit event.

All functions run in the caller's transaction.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.services import record
from hotelagent.core.text import single_line
from reminders import events
from reminders.errors import InvalidReservation
from reminders.models import Reservation, ReservationStatus
from reminders.planning import planner
from reminders.planning.replan import schedule_replan_of_other_stays
from reminders.reservations.changes import COLUMNS, Change, apply_changes

_TEXT_FIELDS = (
    "external_id",
    "guest_name",
    "guest_email",
    "guest_phone",
    "language",
    "country",
    "room_type",
    "source",
)
#: The columns that `update` can change.
#: Only file imports change the columns `assigned_room_type` and `additional_room_types`.
_UPDATED_FIELDS = tuple(
    name for name in COLUMNS if name not in {"assigned_room_type", "additional_room_types"}
)


def normalize(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as they are stored. Line breaks are removed, because e-mail headers contain these texts."""
    normalized: dict[str, Any] = dict(fields)
    for name in _TEXT_FIELDS:
        if isinstance(normalized.get(name), str):
            normalized[name] = single_line(normalized[name])
    if "language" in normalized:
        normalized["language"] = normalized["language"].lower().replace("_", "-")
    if "country" in normalized:
        normalized["country"] = normalized["country"].upper()
    return normalized


def validate(reservation: Reservation) -> Reservation:
    """Return the reservation if its fields are valid. Raises InvalidReservation."""
    try:
        reservation.clean_fields()
        reservation.clean()
        reservation.validate_constraints(exclude={"external_id", "stay"})
    except ValidationError as error:
        errors = error.message_dict
        field, messages = next(iter(errors.items()))
        raise InvalidReservation(f"{field}: {messages[0]}", errors=errors) from error
    return reservation


def create(reservation: Reservation) -> Reservation | None:
    """Insert the validated reservation and plan its reminders. Return None if its number is in use."""
    if reservation.status == ReservationStatus.CHECKED_IN:
        reservation.checked_in_at = timezone.now()
    created = _insert(reservation)
    if created is not None:
        planner.plan_reminders([created], now=timezone.now(), are_new=True)
        schedule_replan_of_other_stays(created, addresses=[created.guest_email])
        record(
            events.RESERVATION_CREATED,
            subject=("reservation", created.id),
            number=created.external_id,
            arrival=created.arrival,
            departure=created.departure,
        )
    return created


def _insert(reservation: Reservation) -> Reservation | None:
    """Insert and return the reservation. Return None if a reservation with the same number exists."""
    try:
        with transaction.atomic():
            reservation.save(force_insert=True)
    except IntegrityError:
        if not Reservation.objects.filter(external_id=reservation.external_id).exists():
            raise
        return None
    reservation.refresh_from_db(fields=["updated_at"])
    return reservation


def change(stored: Reservation, fields: Mapping[str, Any]) -> Reservation:
    """Change some fields of the locked reservation. Raises InvalidReservation."""
    requested = copy.copy(stored)
    for name, value in fields.items():
        setattr(requested, name, value)
    return update(stored, validate(requested))


def update(stored: Reservation, requested: Reservation) -> Reservation:
    """Give the locked reservation the values of a validated one, and return it. Equal values change nothing."""
    changed = {
        name: getattr(requested, name)
        for name in _UPDATED_FIELDS
        if getattr(requested, name) != getattr(stored, name)
    }
    if changed:
        previous_email = stored.guest_email
        apply_changes([Change(stored, changed, at=timezone.now())])
        if changed.keys() & {"status", "arrival", "departure", "guest_email"}:
            schedule_replan_of_other_stays(stored, addresses={previous_email, stored.guest_email})
    return stored

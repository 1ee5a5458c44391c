"""Functions that change stored reservations together with their stays and reminders.

The functions change one reservation or thousands of reservations at a time.
REST clients, the front desk, file imports and calendar imports all use this module to change reservations.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from audit.services import record_many
from locks.holds import AllocatedRoom
from locks.models import Allocation, AllocationStatus
from locks.services import NewStay, Reallocation, StayChange, StayRule, reallocate
from reminders import events
from reminders.local_time import first_open_night
from reminders.models import Reservation, ReservationStatus
from reminders.planning import planner
from reminders.planning.planner import PlanningResult
from reminders.reservations.status_events import publish_status_events
from reminders.selectors import stay_ids_of

#: The reservation columns that a `Change` can set, with their PostgreSQL types.
COLUMNS = {
    "status": "text", "arrival": "date", "departure": "date", "guest_name": "text", "guest_email": "text",
    "guest_phone": "text", "language": "text", "country": "text", "adults": "smallint", "children": "smallint",
    "room_type": "text", "assigned_room_type": "text", "additional_room_types": "varchar[]",
    "source": "text", "booked_on": "date", "status_date": "date",
}  # fmt: skip
#: The columns that follow from the status and the stays of a reservation. A `Change` can't set these columns.
_DERIVED_COLUMNS = {"stay_id": "uuid", "checked_in_at": "timestamptz", "checked_out_at": "timestamptz"}
_STORED_COLUMNS = {**COLUMNS, **_DERIVED_COLUMNS}

# `updated_at` is the version of a reservation, which API clients and workers compare to detect changes.
_UPDATE = f"""
UPDATE reminders_reservation r
SET {", ".join(f"{name} = new.{name}" for name in _STORED_COLUMNS)}, updated_at = statement_timestamp()
FROM json_to_recordset(%s) AS new (id uuid, {", ".join(f"{n} {type_}" for n, type_ in _STORED_COLUMNS.items())})
WHERE r.id = new.id
RETURNING r.id, r.updated_at
"""  # noqa: S608 - built from the column names above, the values are parameters


@dataclass(frozen=True, slots=True)
class Change:
    """The new values of one stored reservation. The caller must have locked the reservation.

    A reservation without a stay gets a stay in the room with the id `room`. If the room of an existing stay is not
    available or has the wrong type, another room of the type `room_type` is assigned. If `room_type` is None, the stay
    is cancelled instead. `additional_rooms` are the further rooms of the booking. `at` is the time at which the guest
    checked in or out, or None if the time is unknown or the status does not change.
    """

    stored: Reservation
    fields: dict[str, Any]
    room: int | None = None
    room_type: str | None = None
    additional_rooms: Sequence[int] = ()
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The effects of changes to reservations.

    `planned` contains the effects on reminders, and `reallocations` contains the effects on stays.
    """

    planned: PlanningResult
    reallocations: Sequence[Reallocation]


def apply_changes(changes: Sequence[Change]) -> ChangeResult:
    """Update the reservations and record an audit event for each. Runs in the caller's transaction."""
    result = update_reservations(changes)
    record_many(
        events.RESERVATION_CHANGED,
        [
            (
                ("reservation", change.stored.id),
                {"number": change.stored.external_id, "changed": ", ".join(sorted(change.fields))},
            )
            for change in changes
        ],
    )
    return result


def update_reservations(changes: Sequence[Change]) -> ChangeResult:
    """Update the reservations, their stays and reminders, without recording audit events.

    Runs in the caller's transaction.
    """
    if not changes:
        return ChangeResult(PlanningResult(), ())
    previous = {change.stored.id: change.stored.status for change in changes if "status" in change.fields}
    # A no-show may lose its stays, so the ids of the stays are read before the change.
    no_shows = [
        change.stored for change in changes if change.fields.get("status") == ReservationStatus.NO_SHOW
    ]
    stays_before = stay_ids_of(no_shows)
    for change in changes:
        for name, value in change.fields.items():
            setattr(change.stored, name, value)
        if "status" in change.fields:
            _set_times(change)
    reallocations = _update_stays(changes)
    reservations = [change.stored for change in changes]
    _update_rows(reservations)
    stays = stay_ids_of([change.stored for change in changes if "status" in change.fields]) | stays_before
    publish_status_events(
        (previous[change.stored.id], change.stored.status, stays[change.stored.id])
        for change in changes
        if "status" in change.fields
    )
    return ChangeResult(planner.plan_reminders(reservations, now=timezone.now()), reallocations)


def _set_times(change: Change) -> None:
    """Set the times of check-in and check-out that belong to the new status."""
    stored = change.stored
    if stored.status == ReservationStatus.CHECKED_IN:
        stored.checked_in_at, stored.checked_out_at = change.at, None
    elif stored.status == ReservationStatus.CHECKED_OUT:
        stored.checked_out_at = change.at
    else:
        stored.checked_in_at = stored.checked_out_at = None


def _update_stays(changes: Sequence[Change]) -> tuple[Reallocation, Reallocation]:
    """Move stays to new dates if the room is available, and add missing stays.

    The stays of cancelled reservations are cancelled. A no-show keeps the nights that are over, and frees the others.
    """
    further_changes, further_stays = _plan_further_rooms(changes)
    stay_changes = [_stay_change(change) for change in changes if _affects_stay(change)]
    moved = reallocate(changes=[*stay_changes, *further_changes])
    cancelled = {stay_change.stay_id for stay_change in stay_changes} - moved.confirmed
    for change in changes:
        if change.stored.stay_id in cancelled:
            change.stored.stay_id = None
    missing = _missing_stays(changes)
    added = reallocate(new_stays=[*missing, *further_stays])
    new_stays = {stay.reference: stay.id for stay in missing}
    for change in changes:
        change.stored.stay_id = new_stays.get(change.stored.external_id, change.stored.stay_id)
    return moved, added


def _plan_further_rooms(changes: Sequence[Change]) -> tuple[list[StayChange], list[NewStay]]:
    """Return the stays to change and the stays to add for the additional rooms of each reservation.

    A stay is kept if the type of its room is still needed. Otherwise the stay is cancelled.
    """
    with_rooms = [
        change
        for change in changes
        if change.stored.additional_room_types or "additional_room_types" in change.fields
    ]
    stays: defaultdict[UUID | None, list[Allocation]] = defaultdict(list)
    if with_rooms:
        found = Allocation.objects.filter(
            group_id__in=[change.stored.id for change in with_rooms], status=AllocationStatus.CONFIRMED
        ).exclude(id__in=[change.stored.stay_id for change in with_rooms if change.stored.stay_id])
        for stay in found.select_related("room").order_by("id"):
            stays[stay.group_id].append(stay)
    stay_changes: list[StayChange] = []
    new_stays: list[NewStay] = []
    for change in with_rooms:
        stored, current = change.stored, stays[change.stored.id]
        nights = occupied_nights(stored)
        needed = list(enumerate(stored.additional_room_types)) if nights is not None else []
        for stay in current:
            kept = next((item for item in needed if item[1] == stay.room.room_type), None)
            if kept is None and needed and "additional_room_types" not in change.fields:
                # Staff have moved this stay to a room of another type, so the stay counts as the first needed room.
                kept = needed[0]
            if kept is None:
                stay_changes.append(StayChange(stay_id=stay.id, nights=None))
                continue
            needed.remove(kept)
            stay_changes.append(
                StayChange(
                    stay_id=stay.id,
                    nights=occupied_nights(stored),
                    room_type=change.room_type and kept[1],
                    rule=_stay_rule(change),
                )
            )
        new_stays += [
            NewStay(
                room=change.additional_rooms[index],
                check_in=nights[0],
                check_out=nights[1],
                reference=stored.external_id,
                room_type=room_type,
                group_id=stored.id,
            )
            for index, room_type in needed
            if nights is not None and index < len(change.additional_rooms)
        ]
    return stay_changes, new_stays


def occupied_nights(reservation: Reservation) -> tuple[date, date] | None:
    """Return the nights on which the stays of a reservation occupy their rooms, or None if there are no such nights.

    A no-show occupies the rooms only on the nights that are over, so that the hotel can sell the other nights again.
    """
    if reservation.status == ReservationStatus.CANCELLED:
        return None
    if reservation.status != ReservationStatus.NO_SHOW:
        return reservation.arrival, reservation.departure
    ends = min(reservation.departure, first_open_night())
    return (reservation.arrival, ends) if ends > reservation.arrival else None


def _stay_rule(change: Change) -> StayRule:
    """Return how the dates of the stays change if the dates of their reservation change.

    If the guest moved to another room or arrived late, the stay begins after the arrival date, and keeps its first
    night. The nights of a no-show are not occupied again, because the hotel may have sold these nights.
    """
    if change.stored.status == ReservationStatus.NO_SHOW:
        return StayRule.ONLY_SHORTEN
    if change.stored.status == ReservationStatus.CHECKED_IN or "arrival" not in change.fields:
        return StayRule.KEEP_CHECK_IN
    return StayRule.FOLLOW


def _affects_stay(change: Change) -> bool:
    if change.stored.stay_id is None:
        return False
    if change.stored.status == ReservationStatus.CANCELLED:
        return True
    if change.stored.status == ReservationStatus.NO_SHOW and "status" in change.fields:
        return True
    return bool(change.fields.keys() & {"arrival", "departure", "assigned_room_type"})


def _stay_change(change: Change) -> StayChange:
    stored = change.stored
    assert stored.stay_id is not None  # noqa: S101 - checked by _affects_stay
    return StayChange(
        stay_id=stored.stay_id,
        nights=occupied_nights(stored),
        room_type=change.room_type,
        requires_room_type="assigned_room_type" in change.fields,
        rule=_stay_rule(change),
    )


def _missing_stays(changes: Collection[Change]) -> list[NewStay]:
    return [
        NewStay(
            room=change.room,
            check_in=nights[0],
            check_out=nights[1],
            reference=change.stored.external_id,
            room_type=change.room_type or "",
            group_id=change.stored.id if change.stored.additional_room_types else None,
        )
        for change in changes
        if change.room is not None
        and change.stored.stay_id is None
        and (nights := occupied_nights(change.stored)) is not None
    ]


def link_stays(reservation: Reservation, rooms: Sequence[AllocatedRoom]) -> None:
    """Store which allocated rooms are the stays of the reservation. Runs in the caller's transaction."""
    reservation.stay_id = rooms[0].id
    reservation.additional_room_types = [room.room_type for room in rooms[1:]]
    _update_rows([reservation])


def store_new_version(reservation: Reservation) -> None:
    """Give the reservation a new version after a change of its rooms. Runs in the caller's transaction."""
    _update_rows([reservation])


def _update_rows(reservations: Sequence[Reservation]) -> None:
    rows = [
        {name: getattr(reservation, name) for name in ("id", *_STORED_COLUMNS)}
        for reservation in reservations
    ]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [json.dumps(rows, default=str)])
        versions = dict(cursor.fetchall())
    for reservation in reservations:
        reservation.updated_at = versions[reservation.id]

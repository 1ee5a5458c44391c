"""Bringing stored reservations to other values, one or thousands at a time: the row, its room, its reminders.

The one way in which a reservation changes, whoever says so: a client, the front desk, a file or a calendar.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from audit.services import record_many
from locks.services import NewStay, Reallocation, StayChange, reallocate
from reminders import events
from reminders.models import Reservation, ReservationStatus
from reminders.planning import planner
from reminders.planning.planner import PlanningResult

#: What may change, by its type in the table.
COLUMNS = {
    "status": "text", "arrival": "date", "departure": "date", "guest_name": "text", "guest_email": "text",
    "guest_phone": "text", "language": "text", "country": "text", "adults": "smallint", "children": "smallint",
    "room_type": "text", "assigned_room_type": "text", "source": "text", "booked_on": "date", "status_date": "date",
}  # fmt: skip

# `updated_at` is the version that clients and senders compare.
_UPDATE = f"""
UPDATE reminders_reservation r
SET {", ".join(f"{name} = new.{name}" for name in COLUMNS)}, stay_id = new.stay_id, updated_at = statement_timestamp()
FROM json_to_recordset(%s) AS new (id uuid, stay_id uuid, {", ".join(f"{n} {type_}" for n, type_ in COLUMNS.items())})
WHERE r.id = new.id
RETURNING r.id, r.updated_at
"""  # noqa: S608 - put together from the names above; values are a parameter


@dataclass(frozen=True, slots=True)
class Change:
    """New values of a reservation that the caller has locked.

    `room` is for one that has no stay and needs one; `room_type`, where its room is taken or of the wrong type, says
    of which other rooms one will do. Without it the stay is given up then.
    """

    stored: Reservation
    fields: dict[str, Any]
    room: int | None = None
    room_type: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeResult:
    planned: PlanningResult
    arranged: Sequence[Reallocation]


def apply_changes(changes: Sequence[Change]) -> ChangeResult:
    """Write them, and tell the trail of each what has changed. In the caller's transaction."""
    written = write(changes)
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
    return written


def write(changes: Sequence[Change]) -> ChangeResult:
    """Change locked rows; their rooms follow and their reminders are planned anew. In the caller's transaction."""
    if not changes:
        return ChangeResult(PlanningResult(), ())
    for change in changes:
        for name, value in change.fields.items():
            setattr(change.stored, name, value)
    arranged = _rooms_follow(changes)
    reservations = [change.stored for change in changes]
    _update(reservations)
    return ChangeResult(planner.plan_reminders(reservations, now=timezone.now()), arranged)


def _rooms_follow(changes: Sequence[Change]) -> tuple[Reallocation, Reallocation]:
    """The room goes with new days if it is free on them; who cancelled gives it up.

    One who never came has paid: the room stays theirs.
    """
    stays = [_stay_change(change) for change in changes if _concerns_stay(change)]
    followed = reallocate(changes=stays)
    lost = {stay.stay_id for stay in stays} - followed.confirmed
    for change in changes:
        if change.stored.stay_id in lost:
            change.stored.stay_id = None
    given = reallocate(new_stays=_placements(changes))
    stays_of = {placement.reference: placement.id for placement in given.added}
    for change in changes:
        change.stored.stay_id = stays_of.get(change.stored.external_id, change.stored.stay_id)
    return followed, given


def _concerns_stay(change: Change) -> bool:
    if change.stored.stay_id is None:
        return False
    is_cancelled = change.stored.status == ReservationStatus.CANCELLED
    return is_cancelled or bool(change.fields.keys() & {"arrival", "departure", "assigned_room_type"})


def _stay_change(change: Change) -> StayChange:
    stored = change.stored
    assert stored.stay_id is not None  # noqa: S101 - see above
    return StayChange(
        stay_id=stored.stay_id,
        nights=None if stored.status == ReservationStatus.CANCELLED else (stored.arrival, stored.departure),
        room_type=change.room_type,
        requires_room_type="assigned_room_type" in change.fields,
    )


def _placements(changes: Collection[Change]) -> list[NewStay]:
    return [
        NewStay(
            room=change.room,
            check_in=change.stored.arrival,
            check_out=change.stored.departure,
            reference=change.stored.external_id,
            room_type=change.room_type or "",
        )
        for change in changes
        if change.room is not None
        and change.stored.stay_id is None
        and change.stored.status != ReservationStatus.CANCELLED
    ]


def _update(reservations: Sequence[Reservation]) -> None:
    rows = [
        {name: getattr(reservation, name) for name in ("id", "stay_id", *COLUMNS)}
        for reservation in reservations
    ]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [json.dumps(rows, default=str)])
        versions = dict(cursor.fetchall())
    for reservation in reservations:
        reservation.updated_at = versions[reservation.id]

"""The housekeeping list of a day: what to do in each room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from locks.database import fetch_rows


class RoomTask(TextChoices):
    """The task of housekeeping in a room on a day. The summary of the list shows the tasks in this order."""

    TURNOVER = "turnover", _("Departure and arrival")
    DEPARTURE = "departure", _("Departure")
    STAY_OVER = "stay_over", _("Stay-over")
    ARRIVAL = "arrival", _("Arrival")
    CLOSED = "closed", _("Closed")
    FREE = "free", _("Free")


@dataclass(frozen=True, slots=True)
class RoomOfDay:
    """A room on a day. `people` is the number of guests who leave or stay over.

    `arriving_people` is the number of guests who arrive. A number is None if there are no such guests, or if their
    reservation has several rooms. `has_left` says that the departing guests have checked out. `until` is the departure
    date of the guests who are in the room tonight, or the end of a closure.
    """

    number: str
    room_type: str
    floor: int | None
    task: RoomTask
    people: int | None
    arriving_people: int | None
    has_left: bool
    until: date | None
    reason: str


@dataclass(frozen=True, slots=True)
class Floor:
    number: int | None
    rooms: list[RoomOfDay]


@dataclass(frozen=True, slots=True)
class HousekeepingList:
    """The rooms of a hotel by floor, and the number of rooms with each task."""

    floors: list[Floor]
    counts: list[tuple[RoomTask, int]]


# The subquery finds the allocations of all rooms in the night before the day and in the night after the day.
# The subquery has no condition on the room, so it needs only one scan of the exclusion constraint's index.
# A room has at most one stay or closure per night, because the exclusion constraint prevents overlaps.
_ROOMS = """
WITH allocated AS MATERIALIZED (
    SELECT stay.room_id, stay.nights, stay.status, stay.reason, lower(stay.nights) AS check_in,
        upper(stay.nights) AS check_out,
        CASE WHEN single.additional_room_types = '{}' THEN single.adults + single.children END AS people,
        coalesce(single.status, several.status) = 'checked_out' AS has_left
    FROM locks_allocation stay
    LEFT JOIN reminders_reservation single ON single.stay_id = stay.id
    LEFT JOIN reminders_reservation several ON several.id = stay.group_id
    WHERE stay.nights && daterange(%(day)s::date - 1, %(day)s::date + 1) AND stay.status IN ('confirmed', 'closed'))
SELECT room.number, room.room_type, room.floor,
    last_night.status AS last_status, last_night.check_out AS last_check_out, last_night.people AS last_people,
    last_night.has_left, tonight.status AS status, tonight.check_in, tonight.check_out, tonight.people, tonight.reason
FROM locks_room room
LEFT JOIN allocated last_night ON last_night.room_id = room.id AND last_night.nights @> (%(day)s::date - 1)
LEFT JOIN allocated tonight ON tonight.room_id = room.id AND tonight.nights @> %(day)s::date
ORDER BY room.floor NULLS LAST, length(room.number), room.number
"""


def housekeeping_list(*, day: date) -> HousekeepingList:
    """Return what to do in each room on this day. Runs one query for any number of rooms."""
    rooms = [_room(row, day) for row in fetch_rows(_ROOMS, {"day": day})]
    counts = [(task, sum(room.task is task for room in rooms)) for task in RoomTask]
    return HousekeepingList(
        floors=[Floor(number, list(group)) for number, group in groupby(rooms, key=lambda room: room.floor)],
        counts=[(task, count) for task, count in counts if count],
    )


def _room(row: Mapping[str, Any], day: date) -> RoomOfDay:
    leaves = row["last_status"] == "confirmed" and row["last_check_out"] == day
    arrives = row["status"] == "confirmed" and row["check_in"] == day
    if row["status"] == "closed" and not leaves:
        task = RoomTask.CLOSED
    elif leaves:
        task = RoomTask.TURNOVER if arrives else RoomTask.DEPARTURE
    elif arrives:
        task = RoomTask.ARRIVAL
    else:
        task = RoomTask.STAY_OVER if row["status"] == "confirmed" else RoomTask.FREE
    return RoomOfDay(
        number=row["number"],
        room_type=row["room_type"],
        floor=row["floor"],
        task=task,
        people=row["last_people"] if leaves else row["people"] if task is RoomTask.STAY_OVER else None,
        arriving_people=row["people"] if arrives else None,
        has_left=bool(leaves and row["has_left"]),
        until=row["check_out"],
        reason=row["reason"] or "",
    )

"""Queries for rooms and allocations: which rooms are free, what occupies a room, and when a room is free again.

The database's clock decides whether a hold has expired.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, CharField, DateTimeField, F, Func, IntegerField, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from locks.database import fetch_rows
from locks.errors import HoldNotFound
from locks.holds import AllocatedRoom, Hold
from locks.models import OCCUPYING, Allocation, AllocationStatus
from locks.nights import Nights
from tenants.context import current_hotel

#: Number of days from the requested check-in in which `next_free` searches for free nights.
HORIZON_DAYS = 180
#: Maximum number of alternative rooms that an error response lists.
MAX_ALTERNATIVES = 10

_KINDS = {"held": "hold", "confirmed": "stay", "closed": "closure"}
_NOW = Func(function="clock_timestamp", output_field=DateTimeField())


class FreeRoom(NamedTuple):
    """A room that is free on all of the requested nights."""

    id: int
    number: str
    room_type: str
    floor: int | None
    capacity: int


@dataclass(frozen=True, slots=True)
class TypeCount:
    """The number of rooms of a type, and how many of them are free."""

    room_type: str
    rooms: int
    free: int


@dataclass(frozen=True, slots=True)
class Availability:
    """The free rooms, and the number of free rooms of each room type. `types` includes types without a free room."""

    free: list[FreeRoom]
    types: list[TypeCount]


@dataclass(frozen=True, slots=True)
class Clash:
    """The requested nights on which a hold, a stay or a closure (`kind`) occupies a room."""

    room_id: int
    number: str
    kind: str
    check_in: datetime.date
    check_out: datetime.date

    def __str__(self) -> str:
        texts = {
            "hold": _("Room {room} is held from {check_in} to {check_out}"),
            "stay": _("Room {room} has a stay from {check_in} to {check_out}"),
            "closure": _("Room {room} is closed from {check_in} to {check_out}"),
        }
        return texts[self.kind].format(room=self.number, check_in=self.check_in, check_out=self.check_out)

    def as_json(self) -> dict[str, Any]:
        """Return the conflicting allocation as a JSON-serializable dict for a problem document."""
        return {
            "room": self.room_id,
            "number": self.number,
            "kind": self.kind,
            "check_in": self.check_in.isoformat(),
            "check_out": self.check_out.isoformat(),
            "nights": [date.isoformat() for date in Nights(self.check_in, self.check_out).dates()],
        }


# The subquery has no condition on the room, because such a condition makes PostgreSQL scan the index for each room.
# The rooms of a type are returned as one JSON document, because psycopg converts a JSON document faster than rows.
_AVAILABILITY = """
SELECT room.room_type, count(*) AS rooms,
    coalesce(json_agg(json_build_array(room.id, room.number, room.room_type, room.floor, room.capacity)
        ORDER BY length(room.number), room.number) FILTER (WHERE room.free), '[]') AS free
FROM (
    SELECT room.*, room.id NOT IN (
        SELECT room_id FROM locks_allocation
        WHERE nights && daterange(%(check_in)s, %(check_out)s)
          AND locks_occupies_at(status, expires_at, clock_timestamp())) AS free
    FROM locks_room room
    WHERE (%(room_type)s = '' OR room.room_type = %(room_type)s) AND room.capacity >= %(guests)s) AS room
GROUP BY room.room_type ORDER BY room.room_type
"""

_CLASHES = """
SELECT room.id AS room_id, room.number, allocation.status,
    lower(allocation.nights * daterange(%(check_in)s, %(check_out)s)) AS check_in,
    upper(allocation.nights * daterange(%(check_in)s, %(check_out)s)) AS check_out
FROM locks_room room
JOIN locks_allocation allocation
    ON locks_room_range(allocation.room_id) = locks_room_range(room.id)
    AND allocation.nights && daterange(%(check_in)s, %(check_out)s)
    AND locks_occupies_at(allocation.status, allocation.expires_at, clock_timestamp())
WHERE room.id = ANY(%(rooms)s::int[]) AND allocation.id IS DISTINCT FROM %(excluded)s::uuid
ORDER BY room.id, check_in
"""

_OCCUPIED_DATES = """
SELECT room.id AS room_id, lower(allocation.nights) AS check_in, upper(allocation.nights) AS check_out
FROM locks_room room
LEFT JOIN locks_allocation allocation
    ON locks_room_range(allocation.room_id) = locks_room_range(room.id)
    AND allocation.nights && daterange(%(check_in)s, %(until)s)
    AND locks_occupies_at(allocation.status, allocation.expires_at, clock_timestamp())
WHERE room.id = ANY(%(rooms)s::int[]) OR (room.room_type = %(room_type)s AND room.capacity >= %(guests)s)
ORDER BY room.id, check_in
"""

_ALTERNATIVES = """
SELECT room.id AS room, room.number, room.room_type FROM locks_room room
WHERE room.room_type IN (SELECT room_type FROM locks_room WHERE id = ANY(%(rooms)s::int[]))
  AND room.id <> ALL(%(rooms)s::int[])
  AND room.id NOT IN (
      SELECT room_id FROM locks_allocation
      WHERE nights && daterange(%(check_in)s, %(check_out)s)
        AND locks_occupies_at(status, expires_at, clock_timestamp()))
ORDER BY room.room_type, length(room.number), room.number
LIMIT %(limit)s
"""


def allocations() -> QuerySet[Allocation]:
    """Return all allocations with their rooms, annotated with `current_status` and `seconds_left`.

    If a hold has expired but its row still has the status `held`, its `current_status` is `expired`.
    """
    return Allocation.objects.select_related("room").annotate(
        current_status=Case(
            When(status=AllocationStatus.HELD, expires_at__lte=_NOW, then=Value(AllocationStatus.EXPIRED)),
            default=F("status"),
            output_field=CharField(),
        ),
        seconds_left=Func(
            F("expires_at"),
            template="greatest(0, floor(extract(epoch FROM %(expressions)s - clock_timestamp())))::int",
            output_field=IntegerField(),
        ),
    )


def occupying_allocations(*, since: datetime.date) -> QuerySet[Allocation]:
    """Return the allocations that occupy a room on the night of `since` or on later nights, ordered by their nights.

    The room of each allocation is loaded with the same query. Expired holds are excluded.
    """
    occupying = Allocation.objects.filter(status__in=OCCUPYING, nights__endswith__gt=since)
    return (
        occupying.exclude(status=AllocationStatus.HELD, expires_at__lte=_NOW)
        .select_related("room")
        .order_by("nights", "room_id")
    )


def allocations_of(hold_id: UUID) -> QuerySet[Allocation]:
    """Return the allocation with this id, or the allocations of the group with this id."""
    return allocations().filter(Q(id=hold_id) | Q(group_id=hold_id)).order_by("room_id")


def get_hold(hold_id: UUID) -> Hold:
    """Return the hold with this id. Raises HoldNotFound.

    If several rooms were held together, `hold_id` can be the id of the group. The result then contains all its rooms.
    """
    rooms = [AllocatedRoom.from_allocation(allocation) for allocation in allocations_of(hold_id)]
    if not rooms:
        raise HoldNotFound(_("There is no hold with the id {id}.").format(id=hold_id))
    return Hold.of(rooms)


def availability(*, nights: Nights, room_type: str = "", guests: int = 1) -> Availability:
    """Return the rooms that are free on all given nights. An empty room type selects all types. Runs one query."""
    rows = fetch_rows(
        _AVAILABILITY,
        {
            "check_in": nights.check_in,
            "check_out": nights.check_out,
            "room_type": room_type,
            "guests": guests,
        },
    )
    return Availability(
        free=[FreeRoom(*room) for row in rows for room in row["free"]],
        types=[TypeCount(row["room_type"], rooms=row["rooms"], free=len(row["free"])) for row in rows],
    )


def clashes(*, rooms: Sequence[int], nights: Nights, excluded: UUID | None = None) -> list[Clash]:
    """Return the allocations that occupy these rooms on some of these nights, except for the allocation `excluded`."""
    rows = fetch_rows(
        _CLASHES,
        {
            "rooms": list(rooms),
            "check_in": nights.check_in,
            "check_out": nights.check_out,
            "excluded": excluded,
        },
    )
    return [Clash(kind=_KINDS[row.pop("status")], **row) for row in rows]


def next_free(
    *, nights: Nights, count: int, rooms: Sequence[int] = (), room_type: str = "", guests: int = 1
) -> str | None:
    """Return the first check-in date on which `count` rooms are free for the whole stay, or None.

    The search covers `HORIZON_DAYS` from `nights.check_in` on. The rooms are `rooms`, or the rooms of `room_type` with
    space for `guests` guests.
    """
    rows = fetch_rows(
        _OCCUPIED_DATES,
        {
            "check_in": nights.check_in,
            "until": nights.check_in + datetime.timedelta(days=HORIZON_DAYS + nights.count),
            "rooms": list(rooms),
            "room_type": room_type,
            "guests": guests,
        },
    )
    free_rooms = Counter[datetime.date]()
    for spans in _spans_by_room(rows).values():
        free_rooms.update(_free_check_ins(spans, nights))
    return min((date.isoformat() for date, number in free_rooms.items() if number >= count), default=None)


def alternatives(*, rooms: Sequence[int], nights: Nights) -> list[dict[str, Any]]:
    """Return up to `MAX_ALTERNATIVES` other rooms of the same types that are free on these nights."""
    return fetch_rows(
        _ALTERNATIVES,
        {
            "rooms": list(rooms),
            "check_in": nights.check_in,
            "check_out": nights.check_out,
            "limit": MAX_ALTERNATIVES,
        },
    )


def today() -> datetime.date:
    """Return the current date in the hotel's time zone."""
    [row] = fetch_rows(
        "SELECT (clock_timestamp() AT TIME ZONE %(time_zone)s)::date AS today",
        {"time_zone": current_hotel().time_zone},
    )
    date: datetime.date = row["today"]
    return date


_Span = tuple[datetime.date, datetime.date]


def _spans_by_room(rows: Iterable[dict[str, Any]]) -> dict[int, list[_Span]]:
    spans: dict[int, list[_Span]] = {}
    for row in rows:
        spans_of_room = spans.setdefault(row["room_id"], [])
        if row["check_in"] is not None:
            spans_of_room.append((row["check_in"], row["check_out"]))
    return spans


def _free_check_ins(spans: Iterable[_Span], nights: Nights) -> list[datetime.date]:
    """Return the check-in dates on which a stay of `nights.count` nights would not overlap with the occupied `spans`.

    Only dates up to `HORIZON_DAYS` after the requested check-in are returned.
    """
    blocked = bytearray(HORIZON_DAYS)
    for check_in, check_out in spans:
        # A stay whose check-in is on one of the days `first` to `last - 1` would overlap with the occupied nights.
        first = max(0, (check_in - nights.check_in).days - nights.count + 1)
        last = min(HORIZON_DAYS, (check_out - nights.check_in).days)
        blocked[first:last] = b"\1" * (last - first)
    return [
        nights.check_in + datetime.timedelta(days=day)
        for day, is_blocked in enumerate(blocked)
        if not is_blocked
    ]

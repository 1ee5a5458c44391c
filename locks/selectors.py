"""What can be read: what is free, what stands in the way, and when it will not."""

# ruff: noqa: S608 - the statements are put together from constants; values are parameters

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from locks.errors import HoldNotFound
from locks.holds import Hold, listed, rows
from locks.listing import stays
from locks.nights import Nights
from locks.sql import OF_ROOM, TAKES_ROOM
from tenants.context import current_hotel

#: How far `next_free` looks (days), and how many other rooms a refusal names.
HORIZON_DAYS = 180
ALTERNATIVES = 10

_KINDS = {"held": "hold", "confirmed": "stay", "closed": "closure"}


class FreeRoom(NamedTuple):
    id: int
    number: str
    room_type: str
    floor: int | None
    capacity: int


@dataclass(frozen=True, slots=True)
class TypeCount:
    room_type: str
    rooms: int
    free: int


@dataclass(frozen=True, slots=True)
class Availability:
    """The rooms that are free on every night, and how many there are of each type, sold out or not."""

    free: list[FreeRoom]
    types: list[TypeCount]


@dataclass(frozen=True, slots=True)
class Clash:
    """The nights, of those asked for, on which something of this kind has the room."""

    room_id: int
    number: str
    kind: str
    check_in: datetime.date
    check_out: datetime.date

    def __str__(self) -> str:
        texts = {
            "hold": _("Room {} is held from {} to {}"),
            "stay": _("Room {} has a stay from {} to {}"),
            "closure": _("Room {} is closed from {} to {}"),
        }
        return texts[self.kind].format(self.number, self.check_in, self.check_out)

    def as_json(self) -> dict[str, Any]:
        return {
            "room": self.room_id,
            "number": self.number,
            "kind": self.kind,
            "check_in": self.check_in.isoformat(),
            "check_out": self.check_out.isoformat(),
            "nights": [day.isoformat() for day in Nights(self.check_in, self.check_out).dates()],
        }


# The nights alone pick what is in the way, over the constraint's index, and the rooms are compared in memory:
# one room at a time would be a probe of the index for each of the hotel's rooms. A row is a type with its free
# rooms as one JSON: a row for each room costs more to take apart in Python than to find.
_AVAILABILITY = f"""
SELECT room.room_type, count(*) AS rooms,
    coalesce(json_agg(json_build_array(room.id, room.number, room.room_type, room.floor, room.capacity)
        ORDER BY length(room.number), room.number) FILTER (WHERE room.free), '[]') AS free
FROM (
    SELECT room.*, room.id NOT IN (
        SELECT stay.room_id FROM locks_allocation stay
        WHERE stay.nights && daterange(%(check_in)s, %(check_out)s) AND {TAKES_ROOM}) AS free
    FROM locks_room room
    WHERE (%(room_type)s = '' OR room.room_type = %(room_type)s) AND room.capacity >= %(guests)s) AS room
GROUP BY room.room_type ORDER BY room.room_type
"""

_CLASHES = f"""
SELECT room.id AS room_id, room.number, stay.status,
    lower(stay.nights * daterange(%(check_in)s, %(check_out)s)) AS check_in,
    upper(stay.nights * daterange(%(check_in)s, %(check_out)s)) AS check_out
FROM locks_room room JOIN locks_allocation stay
    ON {OF_ROOM} AND stay.nights && daterange(%(check_in)s, %(check_out)s) AND {TAKES_ROOM}
WHERE room.id = ANY(%(rooms)s::int[]) AND stay.id IS DISTINCT FROM %(but)s::uuid
ORDER BY room.id, check_in
"""

_TAKEN_BETWEEN = f"""
SELECT room.id AS room_id, lower(stay.nights) AS check_in, upper(stay.nights) AS check_out
FROM locks_room room LEFT JOIN locks_allocation stay
    ON {OF_ROOM} AND stay.nights && daterange(%(check_in)s, %(until)s) AND {TAKES_ROOM}
WHERE room.id = ANY(%(rooms)s::int[]) OR (room.room_type = %(room_type)s AND room.capacity >= %(guests)s)
ORDER BY room.id, check_in
"""

_ALTERNATIVES = f"""
SELECT room.id AS room, room.number, room.room_type FROM locks_room room
WHERE room.room_type IN (SELECT room_type FROM locks_room WHERE id = ANY(%(rooms)s::int[]))
  AND room.id <> ALL(%(rooms)s::int[])
  AND room.id NOT IN (
      SELECT stay.room_id FROM locks_allocation stay
      WHERE stay.nights && daterange(%(check_in)s, %(check_out)s) AND {TAKES_ROOM})
ORDER BY room.room_type, length(room.number), room.number
LIMIT %(limit)s
"""


def availability(*, nights: Nights, room_type: str = "", guests: int = 1) -> Availability:
    """What is free on all of these nights; an empty type is every type. One query."""
    found = rows(
        _AVAILABILITY,
        {
            "check_in": nights.check_in,
            "check_out": nights.check_out,
            "room_type": room_type,
            "guests": guests,
        },
    )
    return Availability(
        free=[FreeRoom(*room) for of_type in found for room in of_type["free"]],
        types=[TypeCount(row["room_type"], rooms=row["rooms"], free=len(row["free"])) for row in found],
    )


def hold(hold_id: UUID) -> Hold:
    """A hold, or a group's by the group's id. Raises HoldNotFound."""
    found = [listed(stay) for stay in stays().filter(Q(id=hold_id) | Q(group_id=hold_id)).order_by("room_id")]
    if not found:
        raise HoldNotFound(f"There is no hold or stay {hold_id}.")
    return Hold.of(found)


def clashes(*, rooms: Sequence[int], nights: Nights, but: UUID | None = None) -> list[Clash]:
    """What, other than `but`, has these rooms on some of these nights, cut to the nights asked for."""
    found = rows(
        _CLASHES,
        {"rooms": list(rooms), "check_in": nights.check_in, "check_out": nights.check_out, "but": but},
    )
    return [Clash(kind=_KINDS[row.pop("status")], **row) for row in found]


def next_free(
    *, nights: Nights, count: int, rooms: Sequence[int] = (), room_type: str = "", guests: int = 1
) -> str | None:
    """The first arrival from `check_in` on when `count` of the rooms are free for as many nights.

    None where there is no such day within `HORIZON_DAYS`.
    """
    found = rows(
        _TAKEN_BETWEEN,
        {
            "check_in": nights.check_in,
            "until": nights.check_in + datetime.timedelta(days=HORIZON_DAYS + nights.count),
            "rooms": list(rooms),
            "room_type": room_type,
            "guests": guests,
        },
    )
    free = Counter[datetime.date]()
    for spans in _by_room(found).values():
        free.update(_free_arrivals(spans, nights))
    return min((day.isoformat() for day, number in free.items() if number >= count), default=None)


def alternatives(*, rooms: Sequence[int], nights: Nights) -> list[dict[str, Any]]:
    """Other rooms of the same types that are free on these nights, the first few."""
    return rows(
        _ALTERNATIVES,
        {
            "rooms": list(rooms),
            "check_in": nights.check_in,
            "check_out": nights.check_out,
            "limit": ALTERNATIVES,
        },
    )


def today() -> datetime.date:
    """The date at the hotel, by the database's clock."""
    [row] = rows(
        "SELECT (clock_timestamp() AT TIME ZONE %(time_zone)s)::date AS today",
        {"time_zone": current_hotel().time_zone},
    )
    day: datetime.date = row["today"]
    return day


_Span = tuple[datetime.date, datetime.date]


def _by_room(found: Iterable[dict[str, Any]]) -> dict[int, list[_Span]]:
    spans: dict[int, list[_Span]] = {}
    for row in found:
        of_room = spans.setdefault(row["room_id"], [])
        if row["check_in"] is not None:
            of_room.append((row["check_in"], row["check_out"]))
    return spans


def _free_arrivals(stays: Iterable[_Span], nights: Nights) -> list[datetime.date]:
    """The days on which a stay of `nights.count` may begin in a room that has these stays."""
    blocked = bytearray(HORIZON_DAYS)
    for check_in, check_out in stays:
        # Whoever arrives after first - 1 and before last would still be there, or find somebody there.
        first = max(0, (check_in - nights.check_in).days - nights.count + 1)
        last = min(HORIZON_DAYS, (check_out - nights.check_in).days)
        blocked[first:last] = b"\1" * (last - first)
    return [nights.check_in + datetime.timedelta(days=day) for day, taken in enumerate(blocked) if not taken]

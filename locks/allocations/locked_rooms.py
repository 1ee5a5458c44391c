"""Chooses free rooms for many stays among the rooms that the current transaction has locked.

The occupied nights are read once, and rooms are chosen in memory. No other transaction can occupy a chosen room in the
meantime, because all transactions lock rooms before they allocate them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import count
from uuid import UUID

from locks.allocations.changes import expire_overlapping
from locks.allocations.occupancy import Occupancy, Span, enclosing_span
from locks.allocations.rooms import ensure_rooms
from locks.database import fetch_rows

_LOCK = """
SELECT id, number, room_type FROM locks_room
WHERE id = ANY(%(rooms)s::int[]) OR room_type = ANY(%(types)s::text[])
ORDER BY id FOR NO KEY UPDATE
"""

# The query returns one row per room, with the dates of the room's allocations in two arrays.
# The library psycopg converts arrays faster than it would convert one row per allocation.
# `begins` and `ends` are the check-in and check-out dates of each allocation, in days since the date `first`.
_OCCUPIED = """
SELECT room_id, array_agg(greatest(lower(nights) - %(first)s, 0)) AS begins,
    array_agg(upper(nights) - %(first)s) AS ends
FROM locks_allocation
WHERE locks_occupies(status) AND nights && daterange(%(first)s, %(last)s)
  AND room_id = ANY(%(rooms)s::int[]) AND id <> ALL(%(excluded)s::uuid[])
GROUP BY room_id
"""


class LockedRooms:
    """The rooms that the current transaction has locked before it moves stays between rooms."""

    def __init__(self) -> None:
        self.types: dict[int, str] = {}
        self.numbers: dict[int, str] = {}

    def lock(self, *, rooms: Collection[int] = (), types: Collection[str] = ()) -> None:
        """Lock the rooms with these ids and all rooms of these types, in ascending order of the ids."""
        for row in fetch_rows(_LOCK, {"rooms": list(rooms), "types": list(types)}):
            self.types[row["id"]], self.numbers[row["id"]] = row["room_type"], row["number"]

    def of_type(self, room_type: str) -> list[int]:
        """Return the locked rooms of a type in the order of their numbers."""
        rooms = [room for room, type_ in self.types.items() if type_ == room_type]
        return sorted(rooms, key=lambda room: (len(self.numbers[room]), self.numbers[room]))

    def choose(self, requests: Mapping[UUID, tuple[Span, str]], occupancy: Occupancy) -> dict[UUID, int]:
        """Return a free room for each request.

        A request consists of a span of nights and a room type. The free room with the lowest number is chosen. If no
        room of the type is free, a room is created.
        """
        rooms = {room_type: self.of_type(room_type) for _span, room_type in requests.values()}
        # Negative ids are placeholders for rooms that do not exist yet.
        # The missing rooms are created after the loop, when their number is known.
        placeholders: dict[str, list[int]] = {room_type: [] for room_type in rooms}
        next_placeholder = count(-1, -1)
        chosen: dict[UUID, int] = {}
        for id_, (span, room_type) in sorted(requests.items(), key=lambda item: (item[1][0], item[0])):
            room = occupancy.occupy_first_free([*rooms[room_type], *placeholders[room_type]], span)
            if room is None:
                room = next(next_placeholder)
                placeholders[room_type].append(room)
                occupancy.occupy(room, span)
            chosen[id_] = room
        created = self._create({room_type: len(ids) for room_type, ids in placeholders.items() if ids})
        created_rooms = {
            placeholder: room
            for room_type, ids in created.items()
            for placeholder, room in zip(placeholders[room_type], ids, strict=True)
        }
        return {id_: created_rooms.get(room, room) for id_, room in chosen.items()}

    def _create(self, numbers: Mapping[str, int]) -> dict[str, list[int]]:
        """Create and lock `numbers[type]` rooms of each type. Return the ids of the new rooms by type."""
        if not numbers:
            return {}
        before = ensure_rooms({})
        after = ensure_rooms(
            {room_type: len(before.get(room_type, [])) + number for room_type, number in numbers.items()}
        )
        self.lock(types=numbers)
        existing = {room for ids in before.values() for room in ids}
        return {
            room_type: [room for room in after[room_type] if room not in existing] for room_type in numbers
        }


def lock_rooms_of_types(types: Collection[str]) -> None:
    """Lock all rooms of these types until the end of the caller's transaction."""
    LockedRooms().lock(types=types)


def read_occupancy(
    rooms: Collection[int], spans: Sequence[Span], *, excluded: Collection[UUID] = ()
) -> Occupancy:
    """Return the occupied nights of rooms that the caller has locked.

    The result covers all nights from the first to the last night of `spans`. Expired holds on these nights are ended
    first. The allocations in `excluded` are ignored.
    """
    first, last = enclosing_span(spans)
    expire_overlapping(list(rooms), check_in=first, check_out=last)
    occupancy = Occupancy(first=first)
    params = {"first": first, "last": last, "rooms": list(rooms), "excluded": list(excluded)}
    for row in fetch_rows(_OCCUPIED, params):
        occupancy.set_occupied(row["room_id"], zip(row["begins"], row["ends"], strict=True))
    return occupancy

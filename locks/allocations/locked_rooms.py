"""The rooms of a house while they are locked: who is where, and a room for who has none.

Who is where is read once and computed in memory (`locks.allocations.occupancy`). What is found free is free: whoever
takes a room locks it; the constraint still judges each row that is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from locks import sql
from locks.allocations.occupancy import Occupancy, Span, window
from locks.holds import held_rooms, rows
from locks.services.expiry import after_expiry
from locks.services.rooms import ensure_rooms

_LOCK = """
SELECT room.id, room.number, room.room_type FROM locks_room room
WHERE room.id = ANY(%(rooms)s::int[]) OR room.room_type = ANY(%(types)s::text[])
ORDER BY room.id FOR NO KEY UPDATE
"""

_LAPSED = """
SELECT stay.id FROM locks_allocation stay
WHERE stay.status = 'held' AND stay.expires_at <= clock_timestamp() AND stay.nights && daterange(%(first)s, %(last)s)
  AND stay.room_id = ANY(%(rooms)s::int[])
"""

# By the nights, as the constraint's index has them. A row is a room and the days, counted from the first, on which its
# stays begin and end: a row for each stay of a year takes longer to hand over than to find.
_TAKEN = """
SELECT stay.room_id AS room, array_agg(greatest(lower(stay.nights) - %(first)s, 0)) AS begins,
    array_agg(upper(stay.nights) - %(first)s) AS ends
FROM locks_allocation stay
WHERE stay.status IN ('held', 'confirmed', 'closed') AND stay.nights && daterange(%(first)s, %(last)s)
  AND stay.room_id = ANY(%(rooms)s::int[]) AND stay.id <> ALL(%(but)s::uuid[])
GROUP BY stay.room_id
"""


@dataclass(slots=True)
class House:
    """The locked rooms."""

    types: dict[int, str] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)

    def lock(self, *, rooms: Collection[int] = (), types: Collection[str] = ()) -> None:
        for room in rows(_LOCK, {"rooms": list(rooms), "types": list(types)}):
            self.types[room["id"]], self.numbers[room["id"]] = room["room_type"], room["number"]

    def of_type(self, room_type: str) -> list[int]:
        """The lowest number first."""
        found = [room for room, type_ in self.types.items() if type_ == room_type]
        return sorted(found, key=lambda room: (len(self.numbers[room]), self.numbers[room]))


def lock_rooms_of_types(types: Collection[str]) -> None:
    """Lock all rooms of these types until the caller's transaction ends, for who arranges in several steps."""
    rows(_LOCK, {"rooms": [], "types": list(types)})


def who_is_where(spans: Sequence[Span], rooms_: Iterable[int], but: Collection[UUID] = ()) -> Occupancy:
    """What stands in the locked rooms; what has lapsed there is ended, for the constraint would count it."""
    first, last = window(spans)
    where = {"first": first, "last": last, "rooms": list(rooms_)}
    if lapsed := rows(_LAPSED, where):
        after_expiry(held_rooms(sql.EXPIRE, {"ids": [row["id"] for row in lapsed]}))
    occupancy = Occupancy(first=first)
    for row in rows(_TAKEN, {**where, "but": list(but)}):
        occupancy.begin_with(row["room"], zip(row["begins"], row["ends"], strict=True))
    return occupancy


def choose(wanted: Mapping[UUID, tuple[Span, str]], occupancy: Occupancy, house: House) -> dict[UUID, int]:
    """A room for each: the lowest of its type that is free, or one that is made."""
    of_type = {room_type: house.of_type(room_type) for _span, room_type in wanted.values()}
    new: dict[str, list[int]] = {room_type: [] for room_type in of_type}
    stand_ins = count(-1, -1)  # until it is known how many rooms must be made
    chosen: dict[UUID, int] = {}
    for id_, (span, room_type) in sorted(wanted.items(), key=lambda item: (item[1][0], item[0])):
        room = occupancy.first_free([*of_type[room_type], *new[room_type]], span)
        if room is None:
            room = next(stand_ins)
            new[room_type].append(room)
            occupancy.take(room, span)
        chosen[id_] = room
    made = _make({room_type: len(rooms_) for room_type, rooms_ in new.items() if rooms_}, house)
    real = {
        stand_in: room
        for room_type in made
        for stand_in, room in zip(new[room_type], made[room_type], strict=True)
    }
    return {id_: real.get(room, room) for id_, room in chosen.items()}


def _make(more: Mapping[str, int], house: House) -> dict[str, list[int]]:
    if not more:
        return {}
    before = ensure_rooms({})
    after = ensure_rooms(
        {room_type: len(before.get(room_type, [])) + number for room_type, number in more.items()}
    )
    house.lock(types=more)
    known = {room for ids in before.values() for room in ids}
    return {room_type: [room for room in after[room_type] if room not in known] for room_type in more}

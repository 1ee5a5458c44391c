"""Rooms for a hotel's bookings as its own system has them: stays by the hundred that come, move and end.

The rooms are locked first, all that may be needed in one order; who is where is then read once and reckoned with in
memory (`locks.occupancy`). What is found free is free, for whoever takes a room locks it; the constraint still judges
each row that is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.services import record_many
from locks import events, sql
from locks.changes import announce, moving
from locks.errors import RoomContended
from locks.holds import dates, held_rooms, moved_dates, rows
from locks.models import StayStatus
from locks.occupancy import Occupancy, Span, window
from locks.services.expiry import after_expiry
from locks.services.placing import Placement, place_stays
from locks.services.rooms import ensure_rooms

_FIND = """
SELECT stay.id, stay.room_id AS room, lower(stay.nights) AS check_in, upper(stay.nights) AS check_out
FROM locks_stay stay WHERE stay.id = ANY(%(ids)s::uuid[]) AND stay.status = 'confirmed'
"""
_FIND_LOCKED = f"{_FIND} ORDER BY stay.id FOR NO KEY UPDATE"

_LOCK = """
SELECT room.id, room.number, room.room_type FROM locks_room room
WHERE room.id = ANY(%(rooms)s::int[]) OR room.room_type = ANY(%(types)s::text[])
ORDER BY room.id FOR NO KEY UPDATE
"""

_LAPSED = """
SELECT stay.id FROM locks_stay stay
WHERE stay.status = 'held' AND stay.expires_at <= clock_timestamp() AND stay.nights && daterange(%(first)s, %(last)s)
  AND stay.room_id = ANY(%(rooms)s::int[])
"""

# By the nights, as the constraint's index has them. A row is a room and the days, counted from the first, on which its
# stays begin and end: a row for each stay of a year takes longer to hand over than to find.
_TAKEN = """
SELECT stay.room_id AS room, array_agg(greatest(lower(stay.nights) - %(first)s, 0)) AS begins,
    array_agg(upper(stay.nights) - %(first)s) AS ends
FROM locks_stay stay
WHERE stay.status IN ('held', 'confirmed', 'out_of_service') AND stay.nights && daterange(%(first)s, %(last)s)
  AND stay.room_id = ANY(%(rooms)s::int[]) AND stay.id <> ALL(%(but)s::uuid[])
GROUP BY stay.room_id
"""

_ARRIVE = """
UPDATE locks_stay stay
SET status = 'confirmed', room_id = new.room_id, nights = daterange(new.check_in, new.check_out)
FROM unnest(%(ids)s::uuid[], %(rooms)s::int[], %(check_ins)s::date[], %(check_outs)s::date[])
    AS new (id, room_id, check_in, check_out)
WHERE stay.id = new.id RETURNING stay.id
"""


@dataclass(frozen=True, slots=True)
class StayChange:
    """What becomes of a confirmed stay. It keeps its room if that is free on the new nights.

    With a `room_type` it gets another room of that type if not, made for it where none is free; without one it ends
    then. `leaves_room`: it keeps its room only if that is of the type. `nights` None: it ends.
    """

    stay: UUID
    nights: Span | None
    room_type: str | None = None
    leaves_room: bool = False


@dataclass(frozen=True, slots=True)
class Arranged:
    """`standing`: those of the stays that were to change that are stays now. `elsewhere` counts the placements whose
    own room was taken."""

    standing: frozenset[UUID] = frozenset()
    moved: int = 0
    ended: int = 0
    placed: Sequence[Placement] = ()
    elsewhere: int = 0


@dataclass(slots=True)
class _House:
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


def arrange(*, changes: Sequence[StayChange] = (), placements: Sequence[Placement] = ()) -> Arranged:
    """Change stays and place new ones. One transaction.

    A placement whose room is taken gets another of its `room_type`, made for it where none is free.
    Raises RoomContended.
    """
    if not changes and not placements:
        return Arranged()
    ids = {"ids": [change.stay for change in changes]}
    with transaction.atomic():
        house = _House()
        stand = rows(_FIND, ids) if changes else []
        house.lock(
            rooms={row["room"] for row in stand} | {placement.room for placement in placements},
            types={c.room_type for c in changes if c.room_type is not None}
            | {p.room_type for p in placements},
        )
        found = {row["id"]: row for row in (rows(_FIND_LOCKED, ids) if stand else [])}
        if any(row["room"] not in house.types for row in found.values()):  # moved by another, just now
            raise RoomContended
        moved, ended = _change([change for change in changes if change.stay in found], found, house)
        placed, elsewhere = _place(placements, house)
    return Arranged(
        standing=frozenset(found.keys() - set(ended)),
        moved=moved,
        ended=len(ended),
        placed=placed,
        elsewhere=elsewhere,
    )


def lock_types(types: Collection[str]) -> None:
    """Lock all rooms of these types until the caller's transaction ends, for who arranges in several steps."""
    rows(_LOCK, {"rooms": [], "types": list(types)})


def _change(
    changes: Sequence[StayChange], found: Mapping[UUID, Mapping[str, Any]], house: _House
) -> tuple[int, list[UUID]]:
    """How many moved, and which ended."""
    movers = [change for change in changes if _moves(change, found[change.stay], house)]
    to = _choose_moves(movers, found, house)
    ended = [c.stay for c in changes if c.nights is None] + [c.stay for c in movers if c.stay not in to]
    if not to and not ended:
        return 0, []
    with moving(list(to)):
        # The constraint judges row by row, and stays that change places would stand in each other's way: all leave
        # first.
        rows(sql.END, {"ids": [*to, *ended], "status": StayStatus.CONFIRMED})
        rows(
            _ARRIVE,
            {
                "ids": list(to),
                "rooms": [room for room, _span in to.values()],
                "check_ins": [check_in for _room, (check_in, _out) in to.values()],
                "check_outs": [check_out for _room, (_in, check_out) in to.values()],
            },
        )
    _tell(to, ended, found, house)
    return len(to), ended


def _moves(change: StayChange, stands: Mapping[str, Any], house: _House) -> bool:
    if change.nights is None:
        return False
    return (stands["check_in"], stands["check_out"]) != change.nights or _is_of_wrong_type(
        change, stands, house
    )


def _is_of_wrong_type(change: StayChange, stands: Mapping[str, Any], house: _House) -> bool:
    return change.leaves_room and house.types[stands["room"]] != change.room_type


def _choose_moves(
    movers: Sequence[StayChange], found: Mapping[UUID, Mapping[str, Any]], house: _House
) -> dict[UUID, tuple[int, Span]]:
    """Stay -> the room and nights that it gets. Those who keep their room come first, and nobody loses it to them."""
    if not movers:
        return {}
    spans = {change.stay: change.nights for change in movers if change.nights is not None}
    occupancy = who_is_where(list(spans.values()), house.types, but=spans.keys())
    to: dict[UUID, tuple[int, Span]] = {}
    others: dict[UUID, str] = {}
    for change in sorted(movers, key=lambda change: spans[change.stay]):
        own, span = found[change.stay]["room"], spans[change.stay]
        stays = not _is_of_wrong_type(change, found[change.stay], house)
        if stays and occupancy.first_free([own], span) is not None:
            to[change.stay] = own, span
        elif change.room_type is not None:
            others[change.stay] = change.room_type
    chosen = _choose({id_: (spans[id_], room_type) for id_, room_type in others.items()}, occupancy, house)
    return to | {id_: (room, spans[id_]) for id_, room in chosen.items()}


def _place(placements: Sequence[Placement], house: _House) -> tuple[list[Placement], int]:
    """What was placed, and how many of it in another room than was asked for."""
    if not placements:
        return [], 0
    first = place_stays(placements)
    if not first.refused:
        return first.placed, 0
    wanted = {p.id: ((p.check_in, p.check_out), p.room_type) for p in first.refused}
    occupancy = who_is_where([span for span, _type in wanted.values()], house.types)
    chosen = _choose(wanted, occupancy, house)
    second = place_stays([replace(placement, room=chosen[placement.id]) for placement in first.refused])
    if second.refused:
        raise RoomContended
    return [*first.placed, *second.placed], len(second.placed)


def _choose(wanted: Mapping[UUID, tuple[Span, str]], occupancy: Occupancy, house: _House) -> dict[UUID, int]:
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


def _make(more: Mapping[str, int], house: _House) -> dict[str, list[int]]:
    if not more:
        return {}
    before = ensure_rooms({})
    after = ensure_rooms(
        {room_type: len(before.get(room_type, [])) + number for room_type, number in more.items()}
    )
    house.lock(types=more)
    known = {room for ids in before.values() for room in ids}
    return {room_type: [room for room in after[room_type] if room not in known] for room_type in more}


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


def _tell(
    to: Mapping[UUID, tuple[int, Span]],
    ended: Sequence[UUID],
    found: Mapping[UUID, Mapping[str, Any]],
    house: _House,
) -> None:
    def now(id_: UUID) -> dict[str, str]:
        room, span = to[id_]
        return dates(house.numbers[room], *span)

    def before(id_: UUID) -> dict[str, str]:
        row = found[id_]
        return dates(house.numbers[row["room"]], row["check_in"], row["check_out"])

    record_many(
        events.STAY_MOVED,
        [(("hold", id_), moved_dates(before(id_), now(id_))) for id_ in to],
    )
    record_many(events.STAY_CANCELLED, [(("hold", id_), before(id_)) for id_ in ended])
    announce(events.STAY_CANCELLED.name, ended)

"""Rooms for a hotel's bookings as its own system has them: stays by the hundred that come, move and end.

The rooms are locked first, all that may be needed in one order (`locks.allocations.locked_rooms`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.services import record_many
from locks import events, sql
from locks.allocations.bulk import NewStay, add_stays
from locks.allocations.locked_rooms import House, choose, who_is_where
from locks.allocations.occupancy import Span
from locks.errors import RoomContention
from locks.holds import dates, moved_dates, rows
from locks.models import AllocationStatus
from locks.webhooks.publishing import publish, publishing_moves

_FIND = """
SELECT stay.id, stay.room_id AS room, lower(stay.nights) AS check_in, upper(stay.nights) AS check_out
FROM locks_allocation stay WHERE stay.id = ANY(%(ids)s::uuid[]) AND stay.status = 'confirmed'
"""
_FIND_LOCKED = f"{_FIND} ORDER BY stay.id FOR NO KEY UPDATE"

_ARRIVE = """
UPDATE locks_allocation stay
SET status = 'confirmed', room_id = new.room_id, nights = daterange(new.check_in, new.check_out)
FROM unnest(%(ids)s::uuid[], %(rooms)s::int[], %(check_ins)s::date[], %(check_outs)s::date[])
    AS new (id, room_id, check_in, check_out)
WHERE stay.id = new.id RETURNING stay.id
"""


@dataclass(frozen=True, slots=True)
class StayChange:
    """What becomes of a confirmed stay. It keeps its room if that is free on the new nights.

    With a `room_type` it gets another room of that type if not, made for it where none is free; without one it ends
    then. `requires_room_type`: it keeps its room only if that is of the type. `nights` None: it ends.
    """

    stay_id: UUID
    nights: Span | None
    room_type: str | None = None
    requires_room_type: bool = False


@dataclass(frozen=True, slots=True)
class Reallocation:
    """The result of `reallocate`.

    `confirmed` has the ids of the changed stays that are still confirmed. `added_elsewhere` is the number of new stays
    whose own room was not available.
    """

    confirmed: frozenset[UUID] = frozenset()
    moved: int = 0
    cancelled: int = 0
    added: Sequence[NewStay] = ()
    added_elsewhere: int = 0


def reallocate(*, changes: Sequence[StayChange] = (), new_stays: Sequence[NewStay] = ()) -> Reallocation:
    """Change stays and place new ones. One transaction.

    A placement whose room is taken gets another of its `room_type`, made for it where none is free.
    Raises RoomContention.
    """
    if not changes and not new_stays:
        return Reallocation()
    ids = {"ids": [change.stay_id for change in changes]}
    with transaction.atomic():
        house = House()
        stand = rows(_FIND, ids) if changes else []
        house.lock(
            rooms={row["room"] for row in stand} | {placement.room for placement in new_stays},
            types={c.room_type for c in changes if c.room_type is not None}
            | {p.room_type for p in new_stays},
        )
        found = {row["id"]: row for row in (rows(_FIND_LOCKED, ids) if stand else [])}
        if any(row["room"] not in house.types for row in found.values()):  # moved by another, just now
            raise RoomContention
        moved, ended = _change([change for change in changes if change.stay_id in found], found, house)
        placed, elsewhere = _place(new_stays, house)
    return Reallocation(
        confirmed=frozenset(found.keys() - set(ended)),
        moved=moved,
        cancelled=len(ended),
        added=placed,
        added_elsewhere=elsewhere,
    )


def _change(
    changes: Sequence[StayChange], found: Mapping[UUID, Mapping[str, Any]], house: House
) -> tuple[int, list[UUID]]:
    """How many moved, and which ended."""
    movers = [change for change in changes if _moves(change, found[change.stay_id], house)]
    to = _choose_moves(movers, found, house)
    ended = [c.stay_id for c in changes if c.nights is None] + [
        c.stay_id for c in movers if c.stay_id not in to
    ]
    if not to and not ended:
        return 0, []
    with publishing_moves(list(to)):
        # The constraint judges row by row, and stays that change places would stand in each other's way: all leave
        # first.
        rows(sql.END, {"ids": [*to, *ended], "status": AllocationStatus.CONFIRMED})
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


def _moves(change: StayChange, stands: Mapping[str, Any], house: House) -> bool:
    if change.nights is None:
        return False
    return (stands["check_in"], stands["check_out"]) != change.nights or _is_of_wrong_type(
        change, stands, house
    )


def _is_of_wrong_type(change: StayChange, stands: Mapping[str, Any], house: House) -> bool:
    return change.requires_room_type and house.types[stands["room"]] != change.room_type


def _choose_moves(
    movers: Sequence[StayChange], found: Mapping[UUID, Mapping[str, Any]], house: House
) -> dict[UUID, tuple[int, Span]]:
    """Stay -> the room and nights that it gets. Those who keep their room come first, and nobody loses it to them."""
    if not movers:
        return {}
    spans = {change.stay_id: change.nights for change in movers if change.nights is not None}
    occupancy = who_is_where(list(spans.values()), house.types, but=spans.keys())
    to: dict[UUID, tuple[int, Span]] = {}
    others: dict[UUID, str] = {}
    for change in sorted(movers, key=lambda change: spans[change.stay_id]):
        own, span = found[change.stay_id]["room"], spans[change.stay_id]
        stays = not _is_of_wrong_type(change, found[change.stay_id], house)
        if stays and occupancy.first_free([own], span) is not None:
            to[change.stay_id] = own, span
        elif change.room_type is not None:
            others[change.stay_id] = change.room_type
    chosen = choose({id_: (spans[id_], room_type) for id_, room_type in others.items()}, occupancy, house)
    return to | {id_: (room, spans[id_]) for id_, room in chosen.items()}


def _place(new_stays: Sequence[NewStay], house: House) -> tuple[list[NewStay], int]:
    """What was placed, and how many of it in another room than was asked for."""
    if not new_stays:
        return [], 0
    first = add_stays(new_stays)
    if not first.rejected:
        return first.added, 0
    wanted = {p.id: ((p.check_in, p.check_out), p.room_type) for p in first.rejected}
    occupancy = who_is_where([span for span, _type in wanted.values()], house.types)
    chosen = choose(wanted, occupancy, house)
    second = add_stays([replace(placement, room=chosen[placement.id]) for placement in first.rejected])
    if second.rejected:
        raise RoomContention
    return [*first.added, *second.added], len(second.added)


def _tell(
    to: Mapping[UUID, tuple[int, Span]],
    ended: Sequence[UUID],
    found: Mapping[UUID, Mapping[str, Any]],
    house: House,
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
    publish(events.STAY_CANCELLED.name, ended)

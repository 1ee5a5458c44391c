"""Functions that change and add many stays in one call, so that the stays match the bookings of an import.

All rooms that may be needed are locked first (`locks.allocations.locked_rooms`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from uuid import UUID

from django.db import transaction

from locks import events
from locks.allocations.bulk import NewStay, add_stays
from locks.allocations.changes import describe, publish
from locks.allocations.locked_rooms import LockedRooms, read_occupancy
from locks.allocations.occupancy import Span
from locks.database import fetch_rows
from locks.errors import RoomContention
from locks.models import Allocation, AllocationStatus

_MOVE = """
UPDATE locks_allocation
SET status = 'confirmed', room_id = new.room_id, nights = daterange(new.check_in, new.check_out)
FROM unnest(%(ids)s::uuid[], %(rooms)s::int[], %(check_ins)s::date[], %(check_outs)s::date[])
    AS new (id, room_id, check_in, check_out)
WHERE locks_allocation.id = new.id RETURNING locks_allocation.id
"""


class StayRule(Enum):
    """The rule for changing a stay when the nights of its booking have changed."""

    #: The stay gets the new nights.
    FOLLOW = auto()
    #: The stay gets the new nights, but not nights before its current check-in.
    KEEP_CHECK_IN = auto()
    #: The stay keeps those of its nights that are among the new nights.
    ONLY_SHORTEN = auto()


@dataclass(frozen=True, slots=True)
class StayChange:
    """A change of a confirmed stay. If `nights` is None, the stay is cancelled.

    The stay keeps its room if the room is free on these nights. Otherwise the stay moves to another room of
    `room_type`, or is cancelled if `room_type` is None. If `requires_room_type` is True, a stay whose current room has
    a different type also moves. If `rule` leaves no nights, the stay is cancelled.
    """

    stay_id: UUID
    nights: Span | None
    room_type: str | None = None
    requires_room_type: bool = False
    rule: StayRule = StayRule.FOLLOW

    def nights_of(self, stay: Allocation) -> Span | None:
        """Return the new nights of the stay, or None if the change cancels the stay."""
        if self.nights is None:
            return None
        check_in, check_out = self.nights
        if self.rule is not StayRule.FOLLOW:
            check_in = max(check_in, stay.check_in)
        if self.rule is StayRule.ONLY_SHORTEN:
            check_out = min(check_out, stay.check_out)
        return (check_in, check_out) if check_in < check_out else None


@dataclass(frozen=True, slots=True)
class Reallocation:
    """The result of `reallocate`.

    `confirmed` contains the ids of the changed stays that are still confirmed. `added_elsewhere` is the number of new
    stays that got a different room than requested.
    """

    confirmed: frozenset[UUID] = frozenset()
    moved: int = 0
    cancelled: int = 0
    added: Sequence[NewStay] = ()
    added_elsewhere: int = 0


def reallocate(*, changes: Sequence[StayChange] = (), new_stays: Sequence[NewStay] = ()) -> Reallocation:
    """Change stays and add new ones, in one transaction.

    A new stay whose room is not available gets another room of its `room_type`, which is created if none is free.
    Raises RoomContention if another transaction moved a stay at the same time.
    """
    if not changes and not new_stays:
        return Reallocation()
    stays = Allocation.objects.filter(
        id__in=[change.stay_id for change in changes], status=AllocationStatus.CONFIRMED
    )
    with transaction.atomic():
        rooms = LockedRooms()
        rooms.lock(
            rooms={*stays.values_list("room_id", flat=True), *(stay.room for stay in new_stays)},
            types={change.room_type for change in changes if change.room_type is not None}
            | {stay.room_type for stay in new_stays},
        )
        current = {stay.id: stay for stay in stays.select_for_update(no_key=True).order_by("id")}
        if any(stay.room_id not in rooms.types for stay in current.values()):
            raise RoomContention
        moves, cancelled = _plan_changes(
            [change for change in changes if change.stay_id in current], current, rooms
        )
        _apply_changes(moves, cancelled)
        added, added_elsewhere = _add(new_stays, rooms)
    return Reallocation(
        confirmed=frozenset(current.keys() - set(cancelled)),
        moved=len(moves),
        cancelled=len(cancelled),
        added=added,
        added_elsewhere=added_elsewhere,
    )


def _plan_changes(
    changes: Sequence[StayChange], current: Mapping[UUID, Allocation], rooms: LockedRooms
) -> tuple[dict[UUID, tuple[int, Span]], list[UUID]]:
    """Return the new room and nights of each moved stay, and the ids of the cancelled stays.

    Stays that can keep their room are planned first.
    """
    cancelled: list[UUID] = []
    spans: dict[UUID, Span] = {}
    moving: list[StayChange] = []
    for change in changes:
        stay = current[change.stay_id]
        nights = change.nights_of(stay)
        if nights is None:
            cancelled.append(change.stay_id)
        elif (stay.check_in, stay.check_out) != nights or _must_leave(change, stay, rooms):
            spans[change.stay_id] = nights
            moving.append(change)
    if not moving:
        return {}, cancelled
    occupancy = read_occupancy(rooms.types, list(spans.values()), excluded=spans.keys())
    moves: dict[UUID, tuple[int, Span]] = {}
    requests: dict[UUID, tuple[Span, str]] = {}
    for change in sorted(moving, key=lambda change: spans[change.stay_id]):
        stay, span = current[change.stay_id], spans[change.stay_id]
        keeps_room = not _must_leave(change, stay, rooms)
        if keeps_room and occupancy.occupy_first_free([stay.room_id], span) is not None:
            moves[change.stay_id] = stay.room_id, span
        elif change.room_type is not None:
            requests[change.stay_id] = span, change.room_type
        else:
            cancelled.append(change.stay_id)
    chosen = rooms.choose(requests, occupancy)
    return moves | {id_: (room, spans[id_]) for id_, room in chosen.items()}, cancelled


def _must_leave(change: StayChange, stay: Allocation, rooms: LockedRooms) -> bool:
    return change.requires_room_type and rooms.types[stay.room_id] != change.room_type


def _apply_changes(moves: Mapping[UUID, tuple[int, Span]], cancelled: Sequence[UUID]) -> None:
    moved_from = describe(list(moves))
    # PostgreSQL checks the exclusion constraint for each row, so all stays leave their rooms before any stay moves.
    Allocation.objects.filter(id__in=[*moves, *cancelled]).update(status=AllocationStatus.CANCELLED)
    fetch_rows(
        _MOVE,
        {
            "ids": list(moves),
            "rooms": [room for room, _span in moves.values()],
            "check_ins": [check_in for _room, (check_in, _check_out) in moves.values()],
            "check_outs": [check_out for _room, (_check_in, check_out) in moves.values()],
        },
    )
    publish(events.STAY_MOVED, list(moves), moved_from=moved_from)
    publish(events.STAY_CANCELLED, cancelled)


def _add(new_stays: Sequence[NewStay], rooms: LockedRooms) -> tuple[list[NewStay], int]:
    """Add stays to the requested rooms. A stay whose requested room is occupied is added to another room.

    Return the added stays, and the number of stays that did not get the requested room.
    """
    if not new_stays:
        return [], 0
    first = add_stays(new_stays)
    if not first.rejected:
        return first.added, 0
    requests = {stay.id: ((stay.check_in, stay.check_out), stay.room_type) for stay in first.rejected}
    occupancy = read_occupancy(rooms.types, [span for span, _type in requests.values()])
    chosen = rooms.choose(requests, occupancy)
    second = add_stays([replace(stay, room=chosen[stay.id]) for stay in first.rejected])
    if second.rejected:
        raise RoomContention
    return [*first.added, *second.added], len(second.added)

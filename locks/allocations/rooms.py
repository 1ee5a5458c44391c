"""Functions that create and change rooms, and record each change in the audit trail."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from audit.services import record
from locks import events
from locks.errors import RoomNumberConflict
from locks.models import Room
from locks.waiting_list.offers import schedule_entries

#: Number of rooms per floor in the room numbers that `ensure_rooms` assigns: 101 to 120, 201 to 220 and so on.
ROOMS_PER_FLOOR = 20


@dataclass(frozen=True, slots=True)
class NewRoom:
    """The values of a room that does not exist yet. `create_room` and `add_rooms` create rooms from these values."""

    number: str
    room_type: str
    floor: int | None = None
    capacity: int = 2


def create_room(new: NewRoom) -> Room:
    """Create a room. Raises RoomNumberConflict."""
    with transaction.atomic():
        created = _insert([new])
        if not created:
            raise _number_conflict(new.number)
        record(
            events.ROOM_CREATED,
            subject=("room", created[0].pk),
            number=new.number,
            room_type=new.room_type,
            floor=new.floor,
            capacity=new.capacity,
        )
        schedule_entries([new.room_type])
    return created[0]


def change_room(room: Room, *, changes: Mapping[str, Any]) -> Room:
    """Store new values of a room's fields. Raises RoomNumberConflict."""
    with transaction.atomic():
        number = changes.get("number", room.number)
        if number != room.number and Room.objects.filter(number=number).exists():
            raise _number_conflict(number)
        for name, value in changes.items():
            setattr(room, name, value)
        room.save(update_fields=list(changes))
        record(events.ROOM_CHANGED, subject=("room", room.pk), number=room.number, changes=dict(changes))
        schedule_entries([room.room_type])
    return room


def add_rooms(new: Sequence[NewRoom]) -> list[Room]:
    """Create the rooms whose numbers are not in use, and return the new rooms. One audit event records these rooms."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                created = _insert(new)
        except IntegrityError:
            # A concurrent transaction has created some of the requested rooms. The second attempt skips these rooms.
            created = _insert(new)
        if created:
            types = sorted({room.room_type for room in created})
            record(events.ROOMS_ADDED, count=len(created), room_types=types)
            schedule_entries(types)
    return created


def ensure_rooms(
    counts: Mapping[str, int], *, capacities: Mapping[str, int] | None = None
) -> dict[str, list[int]]:
    """Create rooms until each type has at least `counts[type]` rooms. Return the ids of all rooms by type.

    New rooms get unused numbers from 101 to 120, 201 to 220 and so on. Their default capacity is 2.
    """
    with transaction.atomic():
        existing = _ids_by_type()
        missing = [
            room_type
            for room_type, number in sorted(counts.items())
            for _room in range(number - len(existing.get(room_type, [])))
        ]
        used = set(Room.objects.values_list("number", flat=True))
        numbers = ((number, floor) for number, floor in _numbers() if number not in used)
        add_rooms(
            [
                NewRoom(
                    number=number,
                    room_type=room_type,
                    floor=floor,
                    capacity=(capacities or {}).get(room_type, 2),
                )
                for room_type, (number, floor) in zip(missing, numbers, strict=False)
            ]
        )
        return _ids_by_type()


def _insert(new: Sequence[NewRoom]) -> list[Room]:
    rooms = [
        Room(number=room.number, room_type=room.room_type, floor=room.floor, capacity=room.capacity)
        for room in new
    ]
    used = set(Room.objects.filter(number__in=[room.number for room in new]).values_list("number", flat=True))
    # If a concurrent transaction uses one of the numbers, `bulk_create` raises IntegrityError and creates no rooms.
    return Room.objects.bulk_create([room for room in rooms if room.number not in used])


def _number_conflict(number: str) -> RoomNumberConflict:
    return RoomNumberConflict(_("The room number {number} is already in use.").format(number=number))


def _ids_by_type() -> dict[str, list[int]]:
    ids: dict[str, list[int]] = {}
    for pk, room_type in Room.objects.order_by("floor", "id").values_list("pk", "room_type"):
        ids.setdefault(room_type, []).append(pk)
    return ids


def _numbers() -> Iterator[tuple[str, int]]:
    for floor in count(1):
        for door in range(1, ROOMS_PER_FLOOR + 1):
            yield f"{floor}{door:02}", floor

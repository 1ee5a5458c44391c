"""Making and changing rooms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from audit.services import record
from locks import events
from locks.errors import RoomNumberConflict
from locks.models import Room
from locks.waiting_list.offers import schedule_entries

#: Rooms on one floor where a hotel is numbered by us: 101 to 120, 201 to 220 ...
ROOMS_PER_FLOOR = 20


@dataclass(frozen=True, slots=True)
class NewRoom:
    number: str
    room_type: str
    floor: int | None = None
    capacity: int = 2


def create_room(new: NewRoom) -> Room:
    """Raises RoomNumberConflict."""
    with transaction.atomic():
        created = _insert([new])
        if not created:
            raise RoomNumberConflict(f"There is a room {new.number} already.")
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
    """Store these fields of a room. Raises RoomNumberConflict."""
    with transaction.atomic():
        number = changes.get("number", room.number)
        if number != room.number and Room.objects.filter(number=number).exists():
            raise RoomNumberConflict(f"There is a room {number} already.")
        for name, value in changes.items():
            setattr(room, name, value)
        room.save(update_fields=list(changes))
        record(events.ROOM_CHANGED, subject=("room", room.pk), number=room.number, changes=dict(changes))
        schedule_entries([room.room_type])
    return room


def add_rooms(new: Sequence[NewRoom]) -> list[Room]:
    """Make those of these rooms whose number is free; returns what was made. One event tells of them all."""
    with transaction.atomic():
        created = _insert(new)
        if created:
            types = sorted({room.room_type for room in created})
            record(events.ROOMS_ADDED, count=len(created), room_types=types)
            schedule_entries(types)
    return created


def ensure_rooms(wanted: Mapping[str, int]) -> dict[str, list[int]]:
    """Make rooms until there are `wanted[type]` of each type; the ids of the types' rooms, by number.

    New ones are numbered floor by floor after those that are there: 101 to 120, 201 to 220 ... A second call
    with the same numbers makes nothing.
    """
    with transaction.atomic():
        there = _ids_by_type()
        missing = [
            room_type
            for room_type, count in sorted(wanted.items())
            for _ in range(count - len(there.get(room_type, [])))
        ]
        taken = set(Room.objects.values_list("number", flat=True))
        numbers = (new for new in _numbers() if new[0] not in taken)
        add_rooms(
            [
                NewRoom(number=number, room_type=room_type, floor=floor)
                for room_type, (number, floor) in zip(missing, numbers, strict=False)
            ]
        )
        return _ids_by_type()


def _insert(new: Sequence[NewRoom]) -> list[Room]:
    rooms = [
        Room(number=room.number, room_type=room.room_type, floor=room.floor, capacity=room.capacity)
        for room in new
    ]
    taken = set(
        Room.objects.filter(number__in=[room.number for room in new]).values_list("number", flat=True)
    )
    # A number that somebody takes between the look and the insert is an IntegrityError: nothing is half made.
    return Room.objects.bulk_create([room for room in rooms if room.number not in taken])


def _ids_by_type() -> dict[str, list[int]]:
    ids: dict[str, list[int]] = {}
    for pk, room_type in Room.objects.order_by("floor", "id").values_list("pk", "room_type"):
        ids.setdefault(room_type, []).append(pk)
    return ids


def _numbers() -> Iterable[tuple[str, int]]:
    floor = 0
    while True:
        floor += 1
        for door in range(1, ROOMS_PER_FLOOR + 1):
            yield f"{floor}{door:02}", floor

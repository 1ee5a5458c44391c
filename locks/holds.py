"""What the services hand back: a hold as its owner sees it."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from django.db import connection

from locks.models import Allocation, AllocationStatus


@dataclass(frozen=True, slots=True)
class AllocatedRoom:
    """One room of a hold, or the stay that it has become. Times are the database's."""

    id: UUID
    group_id: UUID | None
    room_id: int
    number: str
    room_type: str
    check_in: datetime.date
    check_out: datetime.date
    status: AllocationStatus
    fencing_token: int | None
    expires_at: datetime.datetime | None
    extensions_left: int
    seconds_left: int | None
    holder: str
    session: str
    reference: str
    reason: str
    created_at: datetime.datetime

    @property
    def dates(self) -> dict[str, str]:
        return dates(self.number, self.check_in, self.check_out)


def dates(number: str, check_in: datetime.date, check_out: datetime.date) -> dict[str, str]:
    """What each audit event says of the room and its nights."""
    return {"room": number, "check_in": check_in.isoformat(), "check_out": check_out.isoformat()}


def moved_dates(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """What it says of a move: where to, and by the same names where from."""
    return {**after, **{f"from_{name}": value for name, value in before.items()}}


# What JSON has no type for, by its place.
_NAMES = [field.name for field in fields(AllocatedRoom)]
_READ: dict[int, Callable[[Any], Any]] = {
    _NAMES.index(name): read
    for name, read in {
        "id": UUID,
        "group_id": lambda group: group and UUID(group),
        "check_in": datetime.date.fromisoformat,
        "check_out": datetime.date.fromisoformat,
        "status": AllocationStatus,
        "expires_at": datetime.datetime.fromisoformat,
        "created_at": datetime.datetime.fromisoformat,
    }.items()
}


@dataclass(frozen=True, slots=True)
class Hold:
    """One room, or several that were taken together and have one token, one fencing token and one end.

    `id` is what extends, releases and confirms all of it; each room's own id does so for that room alone.
    `token` is known only where the hold was just made.
    """

    rooms: tuple[AllocatedRoom, ...]
    id: UUID
    token: str | None = None

    @classmethod
    def of(cls, rooms: Sequence[AllocatedRoom], *, token: str | None = None) -> "Hold":
        first = rooms[0]
        return cls(
            rooms=tuple(rooms),
            id=first.group_id if len(rooms) > 1 and first.group_id else first.id,
            token=token,
        )

    @property
    def status(self) -> AllocationStatus:
        return self.rooms[0].status

    @property
    def check_in(self) -> datetime.date:
        return self.rooms[0].check_in

    @property
    def check_out(self) -> datetime.date:
        return self.rooms[0].check_out

    @property
    def fencing_token(self) -> int | None:
        return self.rooms[0].fencing_token

    @property
    def expires_at(self) -> datetime.datetime | None:
        return self.rooms[0].expires_at

    @property
    def seconds_left(self) -> int:
        return (self.rooms[0].seconds_left or 0) if self.status is AllocationStatus.HELD else 0

    @property
    def extensions_left(self) -> int:
        return self.rooms[0].extensions_left

    @property
    def reference(self) -> str:
        return self.rooms[0].reference

    @property
    def reason(self) -> str:
        return self.rooms[0].reason

    @property
    def group(self) -> UUID | None:
        return self.rooms[0].group_id


def listed(stay: Allocation) -> AllocatedRoom:
    """A row of `locks.listing.stays()`."""
    state: Any = stay
    return AllocatedRoom(
        id=stay.id,
        group_id=stay.group_id,
        room_id=stay.room_id,
        number=stay.room.number,
        room_type=stay.room.room_type,
        check_in=stay.check_in,
        check_out=stay.check_out,
        status=AllocationStatus(state.state),
        fencing_token=stay.fencing_token,
        expires_at=stay.expires_at,
        extensions_left=stay.extensions_left,
        seconds_left=state.seconds_left,
        holder=stay.holder,
        session=stay.session,
        reference=stay.reference,
        reason=stay.reason,
        created_at=stay.created_at,
    )


def rows(statement: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run one statement in the hotel's schema; each row by the names of its columns."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def held_rooms(statement: str, params: Mapping[str, Any]) -> list[AllocatedRoom]:
    """The same for a statement that answers `locks.sql.COLUMNS` and nothing else."""
    return [held_room(row) for row in rows(statement, params)]


def answered_room(said: Sequence[Any]) -> AllocatedRoom:
    """The hold in an answer that has all of it, in the order of the fields above."""
    values = list(said)
    for place, read in _READ.items():
        values[place] = read(values[place])
    return AllocatedRoom(*values)


def held_room(row: Mapping[str, Any]) -> AllocatedRoom:
    return AllocatedRoom(**{**row, "status": AllocationStatus(row["status"])})

"""The values that the services for holds take and return. A hold consists of one or more allocated rooms."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from locks import policy
from locks.database import postgres_array
from locks.models import Allocation, AllocationStatus
from locks.nights import Nights
from locks.owner import holder


@dataclass(frozen=True, slots=True)
class AllocatedRoom:
    """An allocation with its room. `seconds_left` is the number of seconds until `expires_at`."""

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

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "AllocatedRoom":
        """Create an AllocatedRoom from the JSON that the database function `locks_describe` returned."""
        group_id, expires_at = values["group_id"], values["expires_at"]
        return cls(
            id=UUID(values["id"]),
            group_id=UUID(group_id) if group_id else None,
            room_id=values["room_id"],
            number=values["number"],
            room_type=values["room_type"],
            check_in=datetime.date.fromisoformat(values["check_in"]),
            check_out=datetime.date.fromisoformat(values["check_out"]),
            status=AllocationStatus(values["status"]),
            fencing_token=values["fencing_token"],
            expires_at=datetime.datetime.fromisoformat(expires_at) if expires_at else None,
            extensions_left=values["extensions_left"],
            seconds_left=values["seconds_left"],
            holder=values["holder"],
            session=values["session"],
            reference=values["reference"],
            reason=values["reason"],
            created_at=datetime.datetime.fromisoformat(values["created_at"]),
        )

    @classmethod
    def from_allocation(cls, allocation: Allocation) -> "AllocatedRoom":
        """Create an AllocatedRoom from an instance that `locks.selectors.allocations()` returned.

        An expired hold has the status `expired`.
        """
        annotated: Any = allocation
        return cls(
            id=allocation.id,
            group_id=allocation.group_id,
            room_id=allocation.room_id,
            number=allocation.room.number,
            room_type=allocation.room.room_type,
            check_in=allocation.check_in,
            check_out=allocation.check_out,
            status=AllocationStatus(annotated.current_status),
            fencing_token=allocation.fencing_token,
            expires_at=allocation.expires_at,
            extensions_left=allocation.extensions_left,
            seconds_left=annotated.seconds_left,
            holder=allocation.holder,
            session=allocation.session,
            reference=allocation.reference,
            reason=allocation.reason,
            created_at=allocation.created_at,
        )

    @property
    def event_fields(self) -> dict[str, str]:
        """Return the room and the dates as fields of an audit event."""
        return {
            "room": self.number,
            "check_in": self.check_in.isoformat(),
            "check_out": self.check_out.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Hold:
    """One room, or several rooms that were acquired together.

    The rooms of a group share a token, a fencing token and an expiry. An operation on the hold's `id` applies to all
    rooms of the group. An operation on the id of one allocation applies to its room only. `token` is set only when the
    hold has just been acquired, because the database stores only the digest of the token.
    """

    rooms: tuple[AllocatedRoom, ...]
    id: UUID
    token: str | None = None

    @classmethod
    def of(cls, rooms: Iterable[AllocatedRoom], *, token: str | None = None) -> "Hold":
        """Create a Hold from its allocated rooms: a single room, or the rooms that were held together as a group."""
        sorted_rooms = sorted(rooms, key=lambda room: room.room_id)
        first = sorted_rooms[0]
        id_ = first.group_id if len(sorted_rooms) > 1 and first.group_id else first.id
        return cls(rooms=tuple(sorted_rooms), id=id_, token=token)

    @classmethod
    def from_json(cls, values: Sequence[Mapping[str, Any]], *, token: str | None = None) -> "Hold":
        """Create a Hold from the JSON that a database function returned for the rooms of the hold."""
        return cls.of(map(AllocatedRoom.from_json, values), token=token)

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


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """A client's request to hold `count` rooms: the given `rooms`, or any rooms of `room_type` if `rooms` is empty.

    If rooms are chosen by `room_type`, each room must have space for `guests` guests. Otherwise `guests` is ignored.
    """

    nights: Nights
    count: int
    session: str
    reference: str
    rooms: tuple[int, ...] = ()
    room_type: str = ""
    guests: int = 1

    def as_json(self) -> dict[str, Any]:
        """Return the request as JSON for the database function `locks_acquire`.

        The caller adds the ids of the new holds and the digest of their token.
        """
        return {
            "rooms": postgres_array(self.rooms) if self.rooms else None,
            "room_type": self.room_type,
            "guests": self.guests,
            "nights": f"[{self.nights.check_in},{self.nights.check_out})",
            "holder": holder(),
            "session": self.session,
            "reference": self.reference,
            "client_limit": policy.MAX_HOLDS_PER_CLIENT,
            "session_limit": policy.MAX_HOLDS_PER_SESSION,
            "hold_seconds": policy.HOLD_SECONDS,
            "lifetime_seconds": policy.MAX_LIFETIME_SECONDS,
            "extensions": policy.EXTENSIONS,
        }

    def describe(self) -> str:
        """Return a description of the requested rooms for the audit trail."""
        if self.rooms:
            return "rooms " + ", ".join(map(str, self.rooms))
        return f"{self.count} x {self.room_type}"

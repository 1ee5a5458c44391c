"""The classes `Booking` and `Stay`, which represent one row of an imported file."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from reminders.models import ReservationStatus
from reminders.reservations.importing.values.errors import RowError


@dataclass(slots=True)
class Booking:
    """A booking that was read from one row of a file. Values that the row does not have are empty or None."""

    line: int
    number: str
    arrival: date
    departure: date
    adults: int | None
    children: int | None
    status: str | None
    status_date: date | None
    booked_on: date | None
    room_type: str
    assigned_room_type: str
    country: str
    source: str
    guest_name: str
    guest_email: str
    guest_phone: str
    language: str
    #: The room type of each room of the booking. The first room type is `assigned_room_type`.
    room_types: tuple[str, ...] = ("",)
    #: The cells that were ignored because their values are not valid.
    errors: list[RowError] = field(default_factory=list)
    #: Whether the file lists all rooms of the booking.
    #: If `has_all_rooms` is False, an import keeps the stored rooms that are missing from the file.
    has_all_rooms: bool = True
    #: The ids of the rooms that the importer has chosen, or an empty tuple if the booking occupies no room.
    room_ids: tuple[int, ...] = ()

    @property
    def takes_room(self) -> bool:
        """Return whether the booking occupies a room. A no-show occupies a room on the nights before today."""
        return self.status != ReservationStatus.CANCELLED


@dataclass(frozen=True, slots=True)
class Stay:
    """The values in a row that determine which rooms the booking needs. `rooms` contains the room names, if any."""

    number: str
    arrival: date
    departure: date
    status: str | None
    room_types: tuple[str, ...]
    rooms: tuple[str, ...]

    @property
    def takes_room(self) -> bool:
        return self.status != ReservationStatus.CANCELLED

"""The `Booking` class for a row of an imported file, and the validation of bookings before they are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from reminders.models import ReservationStatus
from reminders.models.validators import FIRST_DAY, LAST_DAY, MAX_NIGHTS, validate_language


@dataclass(slots=True)
class Booking:
    """A booking that was read from one row of a CSV file. Values that the row does not have are empty or None."""

    line: int
    number: str
    arrival: date
    departure: date
    adults: int
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
    #: The id of the room that the importer has chosen, or None if the booking occupies no room.
    room_id: int | None = None

    @property
    def takes_room(self) -> bool:
        """Return whether the booking occupies a room. A no-show does, because the guest pays for the room."""
        return self.status != ReservationStatus.CANCELLED


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of the file that can't be imported. The report counts rejected rows by `reason`."""

    line: int
    number: str
    reason: str
    detail: str


#: The maximum number of characters of each field, as in the database table.
_MAX_LENGTHS = {
    "number": 64, "room_type": 40, "assigned_room_type": 40, "country": 3, "source": 40, "guest_name": 200,
    "guest_email": 254, "guest_phone": 20, "language": 10,
}  # fmt: skip


def validate_booking(booking: Booking) -> RejectedRow | None:
    """Return the rejected row if the booking exceeds a limit of the database table, otherwise None."""
    problem = next(_problems(booking), None)
    return problem and RejectedRow(booking.line, booking.number, *problem)


def _problems(booking: Booking) -> Iterator[tuple[str, str]]:
    """Yield a reason and a detail for each limit that the booking exceeds."""
    nights = (booking.departure - booking.arrival).days
    if nights < 1:
        yield "no nights", f"from {booking.arrival} to {booking.departure}"
    if not FIRST_DAY <= booking.arrival <= LAST_DAY:
        yield "invalid date", f"arrival {booking.arrival} is not between {FIRST_DAY} and {LAST_DAY}"
    if nights > MAX_NIGHTS:
        yield "too many nights", f"from {booking.arrival} to {booking.departure}"
    if booking.adults < 1:
        yield "no adults", f"{booking.adults} adults, {booking.children or 0} children"
    for field, limit in _MAX_LENGTHS.items():
        if (length := len(getattr(booking, field))) > limit:
            yield "value too long", f"{field} has {length} characters (limit: {limit})"
    if not _is_valid(booking.guest_email, validate_email):
        yield "invalid e-mail address", booking.guest_email
    if not _is_valid(booking.language, validate_language):
        yield "unknown language", booking.language


def _is_valid(text: str, validate: Callable[[str], None]) -> bool:
    if not text:
        return True
    try:
        validate(text)
    except ValidationError:
        return False
    return True

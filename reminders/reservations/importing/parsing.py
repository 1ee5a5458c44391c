"""Understands one row, and says what is wrong with one that can't be a booking."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from hotelagent.core.text import single_line
from reminders.models import ReservationStatus
from reminders.models.validators import FIRST_DAY, LAST_DAY, MAX_NIGHTS, validate_language

#: Property systems write the same four facts in many ways.
_STATUSES = {
    "": ReservationStatus.BOOKED,
    "booked": ReservationStatus.BOOKED,
    "confirmed": ReservationStatus.BOOKED,
    "check-out": ReservationStatus.CHECKED_OUT,
    "checked_out": ReservationStatus.CHECKED_OUT,
    "canceled": ReservationStatus.CANCELLED,
    "cancelled": ReservationStatus.CANCELLED,
    "no-show": ReservationStatus.NO_SHOW,
    "no_show": ReservationStatus.NO_SHOW,
}
_UNKNOWN = frozenset({"", "NULL", "null", "NA", "N/A", "None"})


@dataclass(slots=True)
class Booking:
    """A row's facts, as the file has them; what it does not say is empty, or None."""

    line: int
    number: str
    arrival: date
    departure: date
    adults: int
    children: int | None
    status: str | None
    status_date: date | None
    booked_on: date | None
    booked_type: str
    given_type: str
    country: str
    source: str
    guest_name: str
    guest_email: str
    guest_phone: str
    language: str

    @property
    def takes_room(self) -> bool:
        return self.status != ReservationStatus.CANCELLED

    def shift(self, by: timedelta) -> None:
        """Move all its days."""
        self.arrival += by
        self.departure += by
        self.status_date = self.status_date and self.status_date + by
        self.booked_on = self.booked_on and self.booked_on + by


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that can't be stored. `reason` is one of a few, to count by; `detail` is what the row says."""

    line: int
    number: str
    reason: str
    detail: str


class Parser:
    """Turns rows into bookings, knowing where the columns are."""

    def __init__(self, columns: Mapping[str, int]) -> None:
        self._columns = columns
        self._width = max(columns.values()) + 1

    def parse(self, line: int, row: Sequence[str]) -> Booking | Rejected:
        """A booking, or what is wrong where a fact is missing or not of its kind."""
        if len(row) < self._width:
            return Rejected(line, row[0] if row else "", "too few columns", f"{len(row)} of {self._width}")
        number = self._text(row, "number")
        try:
            return Booking(
                line=line,
                number=_required(number),
                arrival=_date(row[self._columns["arrival"]]),
                departure=_date(row[self._columns["departure"]]),
                adults=_count(row[self._columns["adults"]]),
                children=self._children(row),
                status=_status(self._text(row, "status")) if "status" in self._columns else None,
                status_date=self._day(row, "status_date"),
                booked_on=self._day(row, "booked_on"),
                booked_type=self._text(row, "booked_type"),
                given_type=self._text(row, "given_type") or self._text(row, "booked_type"),
                country=self._text(row, "country").upper(),
                source=self._text(row, "source"),
                guest_name=self._text(row, "guest_name"),
                guest_email=self._text(row, "guest_email"),
                guest_phone=self._text(row, "guest_phone"),
                language=self._text(row, "language").lower().replace("_", "-"),
            )
        except _WrongValueError as error:
            return Rejected(line, number, error.reason, error.detail)

    def hotel(self, row: Sequence[str]) -> str:
        place = self._columns.get("hotel")
        return "" if place is None or place >= len(row) else row[place].strip()

    def _text(self, row: Sequence[str], field: str) -> str:
        place = self._columns.get(field)
        if place is None:
            return ""
        text = row[place]
        return "" if text in _UNKNOWN else _tidy(text)

    def _children(self, row: Sequence[str]) -> int | None:
        text = self._text(row, "children")
        return _count(text) if text else None

    def _day(self, row: Sequence[str], field: str) -> date | None:
        text = self._text(row, field)
        return _date(text) if text else None


#: Field -> the most characters that the table takes.
_LENGTHS = {
    "number": 64, "booked_type": 40, "given_type": 40, "country": 3, "source": 40, "guest_name": 200,
    "guest_email": 254, "guest_phone": 20, "language": 10,
}  # fmt: skip


def flaw(booking: Booking) -> Rejected | None:
    """What keeps a booking from being stored, if anything does; the same that the table's constraints say."""
    found = next(_flaws(booking), None)
    return found and Rejected(booking.line, booking.number, *found)


def _flaws(booking: Booking) -> Iterator[tuple[str, str]]:
    nights = (booking.departure - booking.arrival).days
    if nights < 1:
        yield "no night", f"from {booking.arrival} to {booking.departure}"
    if not FIRST_DAY <= booking.arrival <= LAST_DAY:
        yield "bad date", f"{booking.arrival} is no booking's"
    if nights > MAX_NIGHTS:
        yield "too many nights", f"from {booking.arrival} to {booking.departure}"
    if booking.adults < 1:
        yield "no adult", f"{booking.adults} adults, {booking.children or 0} children"
    for field, most in _LENGTHS.items():
        if len(getattr(booking, field)) > most:
            yield "too long", f"{field}: {len(getattr(booking, field))} characters, {most} fit"
    if _is_bad(booking.guest_email, validate_email):
        yield "bad e-mail", booking.guest_email
    if _is_bad(booking.language, validate_language):
        yield "unknown language", booking.language


def _is_bad(text: str, validate: Callable[[str], None]) -> bool:
    if not text:
        return False
    try:
        validate(text)
    except ValidationError:
        return True
    return False


class _WrongValueError(ValueError):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


# A file has few different days, counts and words, and many rows.
@functools.lru_cache(maxsize=8192)
def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise _WrongValueError("bad date", repr(text)) from None


@functools.lru_cache(maxsize=1024)
def _count(text: str) -> int:
    try:
        count = int(float(text or 0))
    except ValueError:
        raise _WrongValueError("bad number", repr(text)) from None
    if not 0 <= count <= 32_767:
        raise _WrongValueError("bad number", repr(text))
    return count


@functools.lru_cache(maxsize=1024)
def _status(text: str) -> str:
    try:
        return _STATUSES[text.lower()]
    except KeyError:
        raise _WrongValueError("unknown status", repr(text)) from None


def _tidy(text: str) -> str:
    """One line without surplus blanks; nearly every cell is that already."""
    is_tidy = text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]
    return text if is_tidy else single_line(text)


def _required(number: str) -> str:
    if not number:
        raise _WrongValueError("no number", "the booking has no number of its own")
    return number

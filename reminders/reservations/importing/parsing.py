"""The parser that turns the cells of a CSV row into a booking."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import date

from hotelagent.core.text import single_line
from reminders.models import ReservationStatus
from reminders.reservations.importing.booking import Booking, RejectedRow, validate_booking

#: The reservation status for each status name of property management systems, in lower case.
STATUSES = {
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
_EMPTY_CELLS = frozenset({"", "NULL", "null", "NA", "N/A", "None"})
_MAX_SMALLINT = 32_767


class RowParser:
    """The parser of CSV rows. `columns` maps each booking field to its column index (see `map_columns`)."""

    def __init__(self, columns: Mapping[str, int]) -> None:
        self._columns = columns
        self._width = max(columns.values()) + 1

    def parse(self, line: int, row: Sequence[str]) -> Booking | RejectedRow:
        """Return the booking, or a RejectedRow with the reason why the row can't be stored."""
        if len(row) < self._width:
            return RejectedRow(line, row[0] if row else "", "too few columns", f"{len(row)} of {self._width}")
        try:
            booking = self._booking(line, row)
        except _InvalidCellError as error:
            return RejectedRow(line, self._text(row, "number"), error.reason, error.detail)
        return validate_booking(booking) or booking

    def hotel(self, row: Sequence[str]) -> str:
        """Return the value of the hotel column, or an empty string if the row has none."""
        index = self._columns.get("hotel")
        return "" if index is None or index >= len(row) else row[index].strip()

    def _booking(self, line: int, row: Sequence[str]) -> Booking:
        columns = self._columns
        room_type = self._text(row, "room_type")
        return Booking(
            line=line,
            number=_required_number(self._text(row, "number")),
            arrival=_date(row[columns["arrival"]]),
            departure=_date(row[columns["departure"]]),
            adults=_count(row[columns["adults"]]),
            children=_count(children) if (children := self._text(row, "children")) else None,
            status=_status(self._text(row, "status")) if "status" in columns else None,
            status_date=self._optional_date(row, "status_date"),
            booked_on=self._optional_date(row, "booked_on"),
            room_type=room_type,
            assigned_room_type=self._text(row, "assigned_room_type") or room_type,
            country=self._text(row, "country").upper(),
            source=self._text(row, "source"),
            guest_name=self._text(row, "guest_name"),
            guest_email=self._text(row, "guest_email"),
            guest_phone=self._text(row, "guest_phone"),
            language=self._text(row, "language").lower().replace("_", "-"),
        )

    def _text(self, row: Sequence[str], field: str) -> str:
        index = self._columns.get(field)
        if index is None:
            return ""
        text = row[index]
        return "" if text in _EMPTY_CELLS else _single_line(text)

    def _optional_date(self, row: Sequence[str], field: str) -> date | None:
        text = self._text(row, field)
        return _date(text) if text else None


class _InvalidCellError(ValueError):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


# The functions that parse cells cache their results, because a file has few different dates, counts and statuses.


@functools.lru_cache(maxsize=8192)
def _date(text: str) -> date:
    """Return the date at the beginning of an ISO 8601 date or timestamp."""
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise _InvalidCellError("invalid date", repr(text)) from None


@functools.lru_cache(maxsize=1024)
def _count(text: str) -> int:
    """Return the number of people in a cell. Spreadsheets leave cells empty (0) or write "2.0" (2)."""
    try:
        count = int(float(text or 0))
    except ValueError:
        raise _InvalidCellError("invalid number", repr(text)) from None
    if not 0 <= count <= _MAX_SMALLINT:
        raise _InvalidCellError("invalid number", repr(text))
    return count


@functools.lru_cache(maxsize=1024)
def _status(text: str) -> str:
    try:
        return STATUSES[text.lower()]
    except KeyError:
        raise _InvalidCellError("unknown status", repr(text)) from None


def _required_number(number: str) -> str:
    if not number:
        raise _InvalidCellError("no booking number", "the cell is empty")
    return number


def _single_line(text: str) -> str:
    """Return the text on one line without repeated spaces. A fast check finds the cells that need no change."""
    is_clean = text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]
    return text if is_clean else single_line(text)

"""The parser that turns the cells of a row into a booking.

A row is rejected only if its booking number, dates or rooms are not valid. If another cell has an error, the booking is
imported without this cell.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.models import ReservationStatus
from reminders.models.validators import FIRST_DAY, LAST_DAY, MAX_NIGHTS
from reminders.reservations.importing.booking import Booking, Stay
from reminders.reservations.importing.columns.fields import DATE_FIELDS
from reminders.reservations.importing.values import cells
from reminders.reservations.importing.values.cells import CellError
from reminders.reservations.importing.values.dates import DateOrder, parse_date
from reminders.reservations.importing.values.errors import Reason, RowError, dates_detail, length_detail
from reminders.reservations.importing.values.statuses import STATUSES, normalize_word

_LIST_SEPARATOR = re.compile(r"\s*[,;]\s*")


class RowParser:
    """A parser for the rows of a file. `columns` maps each field to its column indexes (see `map_columns`)."""

    def __init__(
        self,
        columns: Mapping[str, tuple[int, ...]],
        *,
        header: Sequence[str] = (),
        statuses: Mapping[str, str] = STATUSES,
        date_orders: Mapping[str, DateOrder | None] | None = None,
    ) -> None:
        self.columns, self.header = columns, header
        orders = date_orders or {}
        parsers = _PARSERS | {
            field: functools.partial(_parse_date, order=orders.get(field)) for field in DATE_FIELDS
        }
        if "status" in columns:
            parsers["status"] = functools.partial(_parse_status, statuses=statuses)
        self.readers = {field: _reader(field, parsers[field]) for field in columns if field in parsers}
        self.essential_width = max(columns[name][0] for name in ("number", "arrival", "departure")) + 1

    def parse(self, line: int, row: Sequence[str]) -> Booking | RowError:
        """Return the booking, or the error that prevents the import of the row."""
        try:
            return _Row(self, line, row).booking()
        except _RowRejectedError as rejected:
            return rejected.error

    def parse_stay(self, line: int, row: Sequence[str]) -> Stay | None:
        """Return the stay in the row, or None if an error prevents the import of the row."""
        try:
            return _Row(self, line, row).stay()
        except _RowRejectedError:
            return None

    def number(self, row: Sequence[str]) -> str:
        """Return the booking number of the row, or an empty string."""
        return _Row(self, 0, row).text("number")

    def hotel(self, row: Sequence[str]) -> str:
        """Return the value of the hotel column, or an empty string if the row has none."""
        indexes = self.columns.get("hotel")
        return "" if indexes is None or indexes[0] >= len(row) else row[indexes[0]].strip()

    def has_dates(self, row: Sequence[str]) -> bool:
        """Return whether the row has an arrival date or a departure date. Rows with totals have neither."""
        arrival, departure = self.columns["arrival"][0], self.columns["departure"][0]
        if arrival < len(row) and row[arrival].strip():
            return True
        return departure < len(row) and bool(row[departure].strip())


def _parse_date(text: str, *, order: DateOrder | None) -> date:
    try:
        return parse_date(text, order)
    except (ValueError, OverflowError):
        raise CellError(Reason.INVALID_DATE) from None


def _parse_status(text: str, *, statuses: Mapping[str, str]) -> str:
    try:
        return statuses[normalize_word(text)]
    except KeyError:
        raise CellError(Reason.UNKNOWN_STATUS) from None


_PARSERS: dict[str, Callable[[str], Any]] = {
    "adults": cells.parse_adults,
    "children": cells.parse_count,
    "rooms": cells.parse_room_count,
    "room_type": cells.text_parser("room_type"),
    "assigned_room_type": cells.text_parser("assigned_room_type"),
    "country": cells.parse_country,
    "source": cells.text_parser("source"),
    "guest_name": cells.text_parser("guest_name"),
    "guest_email": cells.parse_email,
    "guest_phone": cells.parse_phone,
    "language": cells.parse_language,
}
#: The fields whose parsed values are not cached, because most cells of these fields have different values.
_UNCACHED = {"guest_name", "guest_email", "guest_phone"}


def _reader(field: str, parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a function that parses the text of a cell.

    The function returns the parsed value, None if the cell is empty, or a CellError if the text is not valid.
    """
    empty = cells.empty_words(field)

    def read(cell: str) -> Any:
        text = "" if cell in empty else cells.clean(cell)
        if not text:
            return None
        try:
            return parse(text)
        except CellError as error:
            return error

    return read if field in _UNCACHED else functools.lru_cache(maxsize=4096)(read)


class _RowRejectedError(Exception):
    def __init__(self, error: RowError) -> None:
        super().__init__(error.reason)
        self.error = error


class _Row:
    """A row that is being parsed. `errors` contains an error for each cell whose value is ignored."""

    __slots__ = ("cells", "errors", "line", "parser")

    def __init__(self, parser: RowParser, line: int, row: Sequence[str]) -> None:
        self.parser, self.line, self.cells = parser, line, row
        self.errors: list[RowError] = []

    def booking(self) -> Booking:
        stay = self.stay()
        columns = self.parser.columns
        has_own_column = columns.get("room_type") != columns.get("assigned_room_type")
        return Booking(
            line=self.line,
            number=stay.number,
            arrival=stay.arrival,
            departure=stay.departure,
            adults=self.adults(),
            children=self.value("children"),
            status=stay.status,
            status_date=self.value("status_date"),
            booked_on=self.value("booked_on"),
            room_type=(self.value("room_type") or "") if has_own_column else stay.room_types[0],
            assigned_room_type=stay.room_types[0],
            country=self.value("country") or "",
            source=self.value("source") or "",
            guest_name=self.value("guest_name") or "",
            guest_email=self.value("guest_email") or "",
            guest_phone=self.value("guest_phone") or "",
            language=self.value("language") or "",
            room_types=stay.room_types,
            errors=self.errors,
        )

    def stay(self) -> Stay:
        if len(self.cells) < self.parser.essential_width:
            expected = len(self.parser.header) or self.parser.essential_width
            detail = TranslatableMessage(
                _("The row has {count} of {expected} columns."), count=len(self.cells), expected=expected
            )
            raise self.rejected("", Reason.TOO_FEW_COLUMNS, detail)
        number = self.text("number")
        if not number:
            raise self.rejected("number", Reason.NO_NUMBER)
        if len(number) > (limit := cells.MAX_LENGTHS["number"]):
            raise self.rejected("number", Reason.TOO_LONG, length_detail(number, limit))
        arrival, departure = self.required_date("arrival"), self.required_date("departure")
        nights = (departure - arrival).days
        if nights < 1:
            raise self.rejected("departure", Reason.NO_NIGHTS, dates_detail(arrival, departure))
        if not FIRST_DAY <= arrival <= LAST_DAY:
            message = _("The date {date} is not between {first} and {last}.")
            days = {"date": f"{arrival}", "first": f"{FIRST_DAY}", "last": f"{LAST_DAY}"}
            raise self.rejected("arrival", Reason.INVALID_DATE, TranslatableMessage(message, **days))
        if nights > MAX_NIGHTS:
            raise self.rejected("departure", Reason.TOO_MANY_NIGHTS, dates_detail(arrival, departure))
        rooms = self.room_names()
        return Stay(number, arrival, departure, self.status(), self.room_types(len(rooms)), rooms)

    def room_names(self) -> tuple[str, ...]:
        """Return the room names in a cell such as "101, 102"."""
        text = self.text("room") if "room" in self.parser.columns else ""
        return tuple(filter(None, _LIST_SEPARATOR.split(text)))[: cells.MAX_ROOMS] if text else ()

    def room_types(self, named: int) -> tuple[str, ...]:
        """Return the room type of each room that the row books.

        A cell such as "Double Room, Single Room" contains the types of two rooms. The argument `named` is the number of
        rooms whose names are in the row.
        """
        count = max(self.value("rooms") or 1, named)
        if count > 1:
            types = tuple(_LIST_SEPARATOR.split(self.text("assigned_room_type") or self.text("room_type")))
            if len(types) == count and max(map(len, types)) <= cells.MAX_LENGTHS["room_type"]:
                return types
        room_type = self.value("assigned_room_type")
        if room_type is None and not self.text("assigned_room_type"):
            room_type = self.value("room_type")
        return (room_type or "",) * count

    def status(self) -> str | None:
        """Return the status, or None if the file has no status column or the word is unknown.

        An empty cell means "booked".
        """
        if "status" not in self.parser.columns:
            return None
        errors = len(self.errors)
        status: str | None = self.value("status")
        return status or (ReservationStatus.BOOKED if len(self.errors) == errors else None)

    def adults(self) -> int | None:
        """Return the number of adults, or None if the row contains no valid number.

        If the cell is empty, an error is added to `errors`.
        """
        adults: int | None = self.value("adults")
        if adults is None and "adults" in self.parser.columns and not self.text("adults"):
            self.errors.append(self.error("adults", Reason.NO_ADULTS))
        return adults

    def required_date(self, field: str) -> date:
        index = self.parser.columns[field][0]
        value = self.parser.readers[field](self.cells[index])
        if value is None or isinstance(value, CellError):
            raise self.rejected(field, Reason.INVALID_DATE)
        day: date = value
        return day

    def value(self, field: str) -> Any:
        """Return the value of a cell, or None for an empty or invalid cell. An invalid cell is added to `errors`."""
        indexes = self.parser.columns.get(field)
        if indexes is None:
            return None
        if len(indexes) == 1:
            cell = self.cells[indexes[0]] if indexes[0] < len(self.cells) else ""
        else:
            cell = self.text(field)
        value = self.parser.readers[field](cell)
        if isinstance(value, CellError):
            self.errors.append(self.error(field, value.reason, value.detail))
            return None
        return value

    def text(self, field: str) -> str:
        """Return the text of the column that contains the field.

        If several columns contain the field, their texts are joined with spaces.
        """
        indexes = self.parser.columns.get(field, ())
        empty = cells.empty_words(field)
        if len(indexes) == 1:
            cell = self.cells[indexes[0]] if indexes[0] < len(self.cells) else ""
            return "" if cell in empty else cells.clean(cell)
        parts = [self.cells[index] for index in indexes if index < len(self.cells)]
        return " ".join([cells.clean(part) for part in parts if part not in empty])

    def error(self, field: str, reason: Reason, detail: str = "", *, is_rejected: bool = False) -> RowError:
        indexes, header = self.parser.columns.get(field, ()), self.parser.header
        return RowError(
            line=self.line,
            number=self.text("number"),
            column="+".join(header[index] for index in indexes if index < len(header)) or field,
            value=" ".join(self.cells[index] for index in indexes if index < len(self.cells)),
            reason=reason,
            detail=detail,
            is_rejected=is_rejected,
        )

    def rejected(self, field: str, reason: Reason, detail: str = "") -> _RowRejectedError:
        return _RowRejectedError(self.error(field, reason, detail, is_rejected=True))

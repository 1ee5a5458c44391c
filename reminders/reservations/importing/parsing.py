"""The parser that turns the cells of a row into a booking.

Only the number, the dates and the rooms decide whether a booking exists. If another cell has an error, the booking is
imported without this cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from reminders.models import ReservationStatus
from reminders.models.validators import FIRST_DAY, LAST_DAY, MAX_NIGHTS
from reminders.reservations.importing.booking import Booking
from reminders.reservations.importing.values import cells
from reminders.reservations.importing.values.cells import CellError
from reminders.reservations.importing.values.dates import DateOrder, parse_date
from reminders.reservations.importing.values.errors import Reason, RowError
from reminders.reservations.importing.values.statuses import STATUSES, normalize_word

T = TypeVar("T")

_LIST_SEPARATOR = re.compile(r"\s*[,;]\s*")


@dataclass(frozen=True, slots=True)
class Stay:
    """The values of a row that determine which rooms it needs. `rooms` are the room names, if the file has any."""

    number: str
    arrival: date
    departure: date
    status: str | None
    room_types: tuple[str, ...]
    rooms: tuple[str, ...]

    @property
    def takes_room(self) -> bool:
        return self.status != ReservationStatus.CANCELLED


class RowParser:
    """The parser of rows. `columns` maps each field to the indexes of its columns (see `map_columns`)."""

    def __init__(
        self,
        columns: Mapping[str, tuple[int, ...]],
        *,
        header: Sequence[str] = (),
        statuses: Mapping[str, str] = STATUSES,
        date_orders: Mapping[str, DateOrder | None] | None = None,
    ) -> None:
        self.columns, self.header, self.statuses = columns, header, statuses
        self.date_orders = date_orders or {}
        self.essential_width = max(columns[name][0] for name in ("number", "arrival", "departure")) + 1

    def parse(self, line: int, row: Sequence[str]) -> Booking | RowError:
        """Return the booking, or the error that prevents the import of the row."""
        try:
            return _Row(self, line, row).booking()
        except _RowRejectedError as rejected:
            return rejected.error

    def parse_stay(self, line: int, row: Sequence[str]) -> Stay | None:
        """Return the stay of the row, or None if `parse` rejects the row."""
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
        """Return whether the row has an arrival or a departure. Rows with totals have neither."""
        cells_of = _Row(self, 0, row)
        return bool(cells_of.text("arrival") or cells_of.text("departure"))


class _RowRejectedError(Exception):
    def __init__(self, error: RowError) -> None:
        super().__init__(error.reason)
        self.error = error


class _Row:
    """One row while it is parsed. `errors` collects the cells that are left out."""

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
            children=self.optional("children", cells.parse_count, None),
            status=stay.status,
            status_date=self.optional("status_date", self.date_parser("status_date"), None),
            booked_on=self.optional("booked_on", self.date_parser("booked_on"), None),
            room_type=self.optional_text("room_type") if has_own_column else stay.room_types[0],
            assigned_room_type=stay.room_types[0],
            country=self.optional("country", cells.parse_country, ""),
            source=self.optional_text("source"),
            guest_name=self.optional_text("guest_name"),
            guest_email=self.optional("guest_email", cells.parse_email, ""),
            guest_phone=self.optional("guest_phone", cells.parse_phone, ""),
            language=self.optional("language", cells.parse_language, ""),
            room_types=stay.room_types,
            errors=self.errors,
        )

    def stay(self) -> Stay:
        if len(self.cells) < self.parser.essential_width:
            detail = f"{len(self.cells)} of {len(self.parser.header) or self.parser.essential_width}"
            raise self.rejected("", Reason.TOO_FEW_COLUMNS, detail)
        number = self.text("number")
        if not number:
            raise self.rejected("number", Reason.NO_NUMBER)
        if len(number) > (limit := cells.MAX_LENGTHS["number"]):
            raise self.rejected("number", Reason.TOO_LONG, f"{len(number)} characters, limit: {limit}")
        arrival, departure = self.required_date("arrival"), self.required_date("departure")
        nights = (departure - arrival).days
        if nights < 1:
            raise self.rejected("departure", Reason.NO_NIGHTS, f"from {arrival} to {departure}")
        if not FIRST_DAY <= arrival <= LAST_DAY:
            detail = f"{arrival} is not between {FIRST_DAY} and {LAST_DAY}"
            raise self.rejected("arrival", Reason.INVALID_DATE, detail)
        if nights > MAX_NIGHTS:
            raise self.rejected("departure", Reason.TOO_MANY_NIGHTS, f"from {arrival} to {departure}")
        rooms = self.room_names()
        return Stay(number, arrival, departure, self.status(), self.room_types(len(rooms)), rooms)

    def room_names(self) -> tuple[str, ...]:
        """Return the room names in a cell such as "101, 102"."""
        text = self.text("room")
        return tuple(filter(None, _LIST_SEPARATOR.split(text)))[: cells.MAX_ROOMS] if text else ()

    def room_types(self, named: int) -> tuple[str, ...]:
        """Return the type of each room. A cell such as "Double Room, Single Room" has the types of two rooms.

        `named` is the number of rooms that the row names.
        """
        count = max(self.optional("rooms", cells.parse_room_count, 1), named)
        field = "assigned_room_type" if self.text("assigned_room_type") else "room_type"
        if count > 1:
            types = tuple(_LIST_SEPARATOR.split(self.text(field)))
            if len(types) == count and max(map(len, types)) <= cells.MAX_LENGTHS[field]:
                return types
        return (self.optional_text(field),) * count

    def status(self) -> str | None:
        if "status" not in self.parser.columns:
            return None
        word = self.text("status")
        status = self.parser.statuses.get(word) or self.parser.statuses.get(normalize_word(word))
        if status is None:
            self.errors.append(self.error("status", Reason.UNKNOWN_STATUS))
        return status

    def adults(self) -> int | None:
        """Return the number of adults, or None if the row does not contain it. An empty cell is reported."""
        if "adults" in self.parser.columns and not self.text("adults"):
            self.errors.append(self.error("adults", Reason.NO_ADULTS))
        return self.optional("adults", cells.parse_adults, None)

    def required_date(self, field: str) -> date:
        try:
            return self.date_parser(field)(self.text(field))
        except CellError as error:
            raise self.rejected(field, error.reason) from None

    def date_parser(self, field: str) -> Callable[[str], date]:
        order = self.parser.date_orders.get(field)

        def parse(text: str) -> date:
            try:
                return parse_date(text, order)
            except (ValueError, OverflowError):
                raise CellError(Reason.INVALID_DATE) from None

        return parse

    def optional(self, field: str, parse: Callable[[str], T], default: T) -> T:
        """Return the parsed cell, or the default for an empty or invalid cell. Invalid cells are added to `errors`."""
        text = self.text(field)
        if not text:
            return default
        try:
            return parse(text)
        except CellError as error:
            self.errors.append(self.error(field, error.reason, error.detail))
            return default

    def optional_text(self, field: str) -> str:
        return self.optional(field, cells.text_parser(field), "")

    def text(self, field: str) -> str:
        """Return the text of the field's column. The texts of joined columns are separated by a space."""
        indexes = self.parser.columns.get(field)
        if indexes is None:
            return ""
        if len(indexes) == 1:
            return cells.clean(self.cells[indexes[0]], field) if indexes[0] < len(self.cells) else ""
        parts = (cells.clean(self.cells[index], field) for index in indexes if index < len(self.cells))
        return " ".join(filter(None, parts))

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

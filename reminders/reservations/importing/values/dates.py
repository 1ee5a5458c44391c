"""Parsing of dates as property management systems write them, and detection of the order of day and month.

`03/04/2026` is 3 April or March 4. A single cell is not enough to decide, so the order is determined for each column
from all of its rows.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import FileChoice, InvalidFile


class DateOrder(StrEnum):
    """The order of day and month in dates such as 03/04/2026."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


#: Excel stores a date as the number of days since this date.
#: Excel dates are explained at https://learn.microsoft.com/en-us/office/troubleshoot/excel/1900-and-1904-date-system
_EXCEL_EPOCH = date(1899, 12, 30)
#: The Excel day numbers that are read as dates, from October 1954 to January 2119. Other numbers are not dates.
_EXCEL_DAYS = range(20_000, 80_000)
_SERIAL = re.compile(r"\d{5}(\.\d+)?")
_NUMERIC = re.compile(r"(\d{1,2})[./\- ]{1,2}(\d{1,2})[./\- ]{1,2}(\d{4}|\d{2})")
_YEAR_FIRST = re.compile(r"(\d{4})[./\- ](\d{1,2})[./\- ](\d{1,2})")
_TIME = re.compile(
    r"(?:[T,]\s*|\s+(?:at\s+)?)\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[.,]\d+)?(?:\s*[AaPp]\.?\s?[Mm]\.?)?\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_WORDS = re.compile(r"[^\W\d_]+|\d+")
#: Words between the parts of a date: "15 de diciembre de 2026", "15th of December".
_FILLERS = frozenset({"de", "of", "del", "do", "st", "nd", "rd", "th"})
#: Two-digit years below this number are in the 2000s. All other two-digit years are in the 1900s.
_CENTURY_LIMIT = 70

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january ene enero janeiro januar janvier janv gen gennaio jän jänner",
            "feb february febrero fev fevereiro februar février févr febbraio",
            "mar march marzo março marco märz mär mars mrz",
            "apr april abr abril avril avr aprile",
            "may mayo mai maio mag maggio",
            "jun june junio junho juni juin giu giugno",
            "jul july julio julho juli juillet juil lug luglio",
            "aug august ago agosto août aout",
            "sep sept september septiembre set setembro septembre settembre",
            "oct october octubre out outubro okt oktober octobre ott ottobre",
            "nov november noviembre novembro novembre",
            "dec december dic diciembre dez dezembro dezember décembre déc dicembre",
        ),
        start=1,
    )
    for name in names.split()
}


@functools.lru_cache(maxsize=8192)
def parse_date(text: str, order: DateOrder | None = None) -> date:
    """Return the date of a cell. A time after the date is ignored.

    Raises ValueError if the text is not a date, or if `order` is None and the date is ambiguous, such as 03/04/2026.
    """
    text = text.strip()
    if text[4:5] == "-" and (not text[10:] or text[10] in "T "):
        return date.fromisoformat(text[:10])
    text = _without_time(text)
    if _SERIAL.fullmatch(text):
        days = int(float(text))
        if days in _EXCEL_DAYS:
            return _EXCEL_EPOCH + timedelta(days=days)
    if match := _YEAR_FIRST.fullmatch(text):
        return date(*map(int, match.groups()))
    if match := _NUMERIC.fullmatch(text):
        first, second, year = match.groups()
        order = order or _only_order(int(first), int(second))
        if order is None:
            raise ValueError(f"{text} has two readings")
        day, month = (first, second) if order == DateOrder.DAY_FIRST else (second, first)
        return date(_full_year(year), int(month), int(day))
    return _named_date(text)


def _without_time(text: str) -> str:
    match = _TIME.search(text)
    return text[: match.start()].rstrip(" ,") if match and match.end() == len(text) else text


def _named_date(text: str) -> date:
    """Parse a date with the name of a month, such as `15-DEC-26`, `Tue, Dec 15, 2026` or `15 de diciembre de 2026`."""
    words = [word for word in _WORDS.findall(text.casefold()) if word not in _FILLERS]
    if len(words) == 4 and not words[0].isdigit():
        del words[0]  # the weekday
    if len(words) == 3:
        for day, month, year in (words, (words[1], words[0], words[2]), words[::-1]):
            if month in _MONTHS and day.isdigit() and year.isdigit() and len(year) in {2, 4}:
                return date(_full_year(year), _MONTHS[month], int(day))
    if text.isdigit() and len(text) == 8:
        return date.fromisoformat(text)
    raise ValueError(f"{text} is not a date")


def _full_year(year: str) -> int:
    number = int(year)
    if len(year) == 4:
        return number
    return number + (2000 if number < _CENTURY_LIMIT else 1900)


def _only_order(first: int, second: int) -> DateOrder | None:
    """Return the only possible order of day and month, or None if both orders are possible.

    If both numbers are equal, return DAY_FIRST, because both orders result in the same date.
    """
    if first > 12 or first == second:
        return DateOrder.DAY_FIRST
    return DateOrder.MONTH_FIRST if second > 12 else None


#: The maximum share of dates in a column that may have a different order of day and month than the other dates.
#: If at most this share of the dates contradicts the order of day and month of the other dates, these dates are errors.
#: If the number of ambiguous dates exceeds this share of the unambiguous dates, the user must choose an order.
_MAX_CONTRADICTION = 0.05


@dataclass(slots=True)
class DateColumn:
    """The counts of the dates in one column that show that the day comes first, or that the month comes first.

    For example, the date 13/04/2026 shows that the day comes first.
    """

    name: str
    day_first: int = 0
    month_first: int = 0
    undecided: int = 0
    #: The number of unambiguous dates: ISO 8601 dates, dates with month names, and Excel day numbers.
    certain: int = 0
    #: The first ambiguous date in the column: its line number and its text.
    example: tuple[int, str] = (0, "")
    _seen: set[str] = field(default_factory=set)

    def add(self, line: int, text: str) -> None:
        """Use the text of a cell to find the order of day and month in the column. Ignore texts that are not dates."""
        if text in self._seen:
            return
        if len(self._seen) > 5_000:
            self._seen.clear()  # The cache is limited, because dates with times have many different values.
        self._seen.add(text)
        if text[4:5] == "-":
            self.certain += 1
            return
        match = _NUMERIC.fullmatch(_without_time(text.strip()))
        if match is None:
            self.certain += _is_date(text)
            return
        first, second = int(match[1]), int(match[2])
        if first == second or not 1 <= first <= 31 or not 1 <= second <= 31 or min(first, second) > 12:
            return
        if first > 12:
            self.day_first += 1
        elif second > 12:
            self.month_first += 1
        else:
            if not self.undecided:
                self.example = line, text.strip()
            self.undecided += 1

    @property
    def order(self) -> DateOrder | None:
        """Return the order of day and month in the column, or None if the dates are ambiguous or contradictory."""
        few, many = sorted((self.day_first, self.month_first))
        if many == 0 or few > max(1, many * _MAX_CONTRADICTION) or few == many:
            return None
        return DateOrder.DAY_FIRST if self.day_first == many else DateOrder.MONTH_FIRST

    @property
    def needs_order(self) -> bool:
        """Return whether the user has to choose the order of day and month for this column.

        If only a few of the dates are ambiguous, the result is False, and the ambiguous dates are reported as errors.
        """
        return (
            self.undecided > max(1, self.certain * _MAX_CONTRADICTION) if self.certain else self.undecided > 0
        )


@dataclass(frozen=True, slots=True)
class AmbiguousColumn:
    """A column of dates for which both orders of day and month are possible.

    `example` is a cell of the column. `readings` maps each order of day and month to the date that the example has in
    this order.
    """

    column: str
    line: int
    example: str
    readings: Mapping[DateOrder, date]


class AmbiguousDates(InvalidFile):
    """The order of day and month can't be determined for the dates in `columns`."""

    code = "ambiguous-dates"
    title = _("The dates can be read in two ways")

    def __init__(self, columns: list[AmbiguousColumn]) -> None:
        first = columns[0]
        message = gettext_noop(
            "The dates in {columns} can be read in two ways: {example} in line {line} is {day_first} (day first) or "
            "{month_first} (month first)."
        )
        super().__init__(
            TranslatableMessage(
                message,
                columns=", ".join(f'"{column.column}"' for column in columns),
                example=first.example,
                line=first.line,
                day_first=first.readings[DateOrder.DAY_FIRST].isoformat(),
                month_first=first.readings[DateOrder.MONTH_FIRST].isoformat(),
            ),
            choice=FileChoice.DATE_FORMAT,
        )
        self.columns = columns


def decide_orders(columns: Mapping[str, DateColumn], *, date_format: str = "") -> dict[str, DateOrder | None]:
    """Return the order of day and month in each column, by column key.

    If `date_format` is not empty, all columns have this order. If all dates of a column are ambiguous, the order of the
    other columns is used, because one program wrote the whole file. Raises AmbiguousDates.
    """
    if date_format:
        return dict.fromkeys(columns, DateOrder(date_format))
    proven = {order for column in columns.values() if (order := column.order) is not None}
    common = proven.pop() if len(proven) == 1 else None
    orders = {key: column.order or common for key, column in columns.items()}
    ambiguous = [
        _ambiguous(column) for key, column in columns.items() if orders[key] is None and column.needs_order
    ]
    if ambiguous:
        raise AmbiguousDates(ambiguous)
    return orders


def _ambiguous(column: DateColumn) -> AmbiguousColumn:
    line, example = column.example
    return AmbiguousColumn(
        column.name, line, example, {order: parse_date(example, order) for order in DateOrder}
    )


def _is_date(text: str) -> bool:
    try:
        parse_date(text)
    except ValueError:
        return False
    return True

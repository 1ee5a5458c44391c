"""The parsers for cells.

Each parser returns the value to store, or raises CellError with the reason. Parsers cache their results if a column
typically has few different values.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.text import single_line
from reminders.models.validators import validate_language
from reminders.reservations.countries import country_code
from reminders.reservations.importing.values.errors import Reason, length_detail

_EMPTY = frozenset({"", "-", "NULL", "null", "NA", "N/A", "n/a", "None", "#N/A"})
#: Some fields accept words that mean “empty” elsewhere: a guest may be called None, and NA is the code of Namibia.
#: A dash as an e-mail address or phone number is an invalid value, so staff see that the guest can't be contacted.
_EMPTY_BY_FIELD = {
    "guest_name": _EMPTY - {"None"}, "country": _EMPTY - {"NA"}, "guest_email": _EMPTY - {"-"},
    "guest_phone": _EMPTY - {"-"},
}  # fmt: skip
_MAX_SMALLINT = 32_767
#: The maximum number of rooms per booking. A larger number is treated as an error in the cell.
MAX_ROOMS = 100
#: The maximum length of each field in characters, the same as in the database table.
MAX_LENGTHS = {
    "number": 64, "room_type": 40, "assigned_room_type": 40, "source": 40, "guest_name": 200, "guest_email": 254,
    "guest_phone": 20, "language": 10,
}  # fmt: skip
_PHONE = re.compile(r"\+?[\d\s().\-/]+(\s*(x|ext\.?)\s*\d+)?", re.IGNORECASE)
_MIN_PHONE_DIGITS = 5


class CellError(ValueError):
    """The value of a cell is not valid."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def empty_words(field: str) -> frozenset[str]:
    """Return the cell texts that mean "no value" in the column of a field."""
    return _EMPTY_BY_FIELD.get(field, _EMPTY)


def clean(text: str) -> str:
    """Return the text on one line without repeated spaces. A fast check skips cells that are already clean."""
    is_clean = text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]
    return text if is_clean else single_line(text)


@functools.lru_cache(maxsize=1024)
def parse_count(text: str) -> int:
    """Return the number of people in a cell. Spreadsheets write "2.0" for 2."""
    try:
        number = float(text)
    except ValueError:
        raise CellError(Reason.INVALID_NUMBER) from None
    if not (math.isfinite(number) and 0 <= number <= _MAX_SMALLINT):
        raise CellError(Reason.INVALID_NUMBER)
    return int(number)


@functools.lru_cache(maxsize=1024)
def parse_adults(text: str) -> int:
    if (count := parse_count(text)) == 0:
        raise CellError(Reason.NO_ADULTS)
    return count


@functools.lru_cache(maxsize=1024)
def parse_room_count(text: str) -> int:
    if not 1 <= (count := parse_count(text)) <= MAX_ROOMS:
        raise CellError(
            Reason.INVALID_NUMBER,
            TranslatableMessage(_("Enter a number from 1 to {limit}."), limit=MAX_ROOMS),
        )
    return count


@functools.lru_cache(maxsize=1024)
def parse_country(text: str) -> str:
    """Return the three-letter code (ISO 3166-1) of a country, given as a code or a name."""
    code = country_code(text)
    if code is None:
        raise CellError(Reason.UNKNOWN_COUNTRY)
    return code


@functools.cache
def text_parser(field: str) -> Callable[[str], str]:
    """Return a text parser that raises CellError if the text is too long for the field."""
    limit = MAX_LENGTHS[field]

    def parse(text: str) -> str:
        if len(text) > limit:
            raise CellError(Reason.TOO_LONG, length_detail(text, limit))
        return text

    return parse


def parse_email(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError:
        raise CellError(Reason.INVALID_EMAIL) from None
    return text


def parse_phone(text: str) -> str:
    text = text.lstrip("'")  # Excel marks a text with a leading apostrophe
    digits = sum(character.isdigit() for character in text)
    if len(text) > MAX_LENGTHS["guest_phone"] or digits < _MIN_PHONE_DIGITS or not _PHONE.fullmatch(text):
        raise CellError(Reason.INVALID_PHONE)
    return text


@functools.lru_cache(maxsize=1024)
def parse_language(text: str) -> str:
    """Return the language code (BCP 47) in a cell, converted to lower case, such as "pt-br"."""
    try:
        validate_language(text)
    except ValidationError:
        raise CellError(Reason.UNKNOWN_LANGUAGE) from None
    return text_parser("language")(text.lower().replace("_", "-"))

"""The errors in rows and cells of an imported file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from hotelagent.core.messages import TranslatableMessage


class Reason(TextChoices):
    """The reason why a row or a cell is not imported.

    The value of a reason is stored in import reports. The translated label of a reason is shown to users.
    """

    NO_NUMBER = "no booking number", _("The booking number is missing.")
    DUPLICATE_NUMBER = "duplicate number", _("Another row has the same booking number but other dates.")
    NO_NIGHTS = "no nights", _("Departure must be after arrival.")
    TOO_MANY_NIGHTS = "too many nights", _("A stay can have at most 730 nights.")
    INVALID_DATE = "invalid date", _("This is not a date.")
    INVALID_NUMBER = "invalid number", _("This is not a valid number.")
    NO_ADULTS = "no adults", _("A booking must have at least one adult.")
    UNKNOWN_STATUS = "unknown status", _("This reservation status is not known.")
    UNKNOWN_COUNTRY = "unknown country", _("This is not the name or the code of a country.")
    UNKNOWN_LANGUAGE = "unknown language", _("This is not a language code such as es or pt-br.")
    INVALID_EMAIL = "invalid e-mail address", _("This is not a valid e-mail address.")
    INVALID_PHONE = "invalid phone number", _("This is not a phone number.")
    TOO_LONG = "value too long", _("The value is too long.")
    TOO_FEW_COLUMNS = "too few columns", _("The row has fewer cells than the header.")
    UNREADABLE = "unreadable row", _("The row can't be read.")


@dataclass(frozen=True, slots=True)
class RowError:
    """An error in one row of the file.

    If `is_rejected` is true, the row is not imported. Otherwise the booking is imported without the value of the cell.
    `column` is the name of the column in the file, or an empty string if the error concerns the whole row. `value` is
    the text of the cell. `detail` is a `TranslatableMessage`, or an empty string.
    """

    line: int
    number: str
    column: str
    value: str
    reason: Reason
    detail: str = ""
    is_rejected: bool = True


def length_detail(text: str, limit: int) -> TranslatableMessage:
    """Return the detail text of the error for a value with more than `limit` characters."""
    return TranslatableMessage(
        gettext_noop("The value has {length} characters. The limit is {limit}."),
        length=len(text),
        limit=limit,
    )


def dates_detail(arrival: date, departure: date) -> TranslatableMessage:
    """Return the detail text of the error for a stay with an invalid number of nights."""
    message = gettext_noop("The stay is from {arrival} to {departure}.")
    return TranslatableMessage(message, arrival=arrival.isoformat(), departure=departure.isoformat())

"""Validation of reservations that the REST API, the importer and the calendar sync share."""

from __future__ import annotations

from datetime import date

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

#: The first and the last valid date of a stay. With much later dates, the send dates of reminders could overflow.
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
MAX_NIGHTS = 730

#: Accepts language codes (BCP 47) with a hyphen or an underscore: `pt`, `pt-BR`, `pt_br`.
validate_language = RegexValidator(
    r"\A[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z",
    _("Enter a language code such as es, en or pt-br."),
    code="language",
)

#: Accepts country codes with two or three letters (ISO 3166-1), because imported files contain both kinds of codes.
validate_country = RegexValidator(
    r"\A[A-Za-z]{2,3}\Z", _("Enter a country code such as ESP or ES (ISO 3166)."), code="country"
)


def stay_dates_error(arrival: date, departure: date) -> tuple[str, str] | None:
    """Return the name of the invalid field and the error message, or None if the dates are valid."""
    if not FIRST_DAY <= arrival <= LAST_DAY:
        return "arrival", str(_("Arrival must be between the years 1970 and 2199."))
    if departure <= arrival:
        return "departure", str(_("Departure must be after arrival."))
    if (departure - arrival).days > MAX_NIGHTS:
        return "departure", str(_("A stay can have at most 730 nights."))
    return None

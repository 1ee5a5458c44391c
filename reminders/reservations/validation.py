"""What a reservation's days and words must be, said the same at every door: REST, files, calendars."""

from __future__ import annotations

from datetime import date

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

#: Beyond these a calendar's arithmetic ends, and no booking begins.
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
MOST_NIGHTS = 730

#: BCP 47 as systems write it: pt, pt-BR, pt_br.
is_language = RegexValidator(
    r"\A[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z",
    _("A language is written as in es, en or pt-br."),
    code="language",
)

#: ISO 3166-1, of two letters or three: what systems send, and files have mixed.
is_country = RegexValidator(
    r"\A[A-Za-z]{2,3}\Z", _("A country is written as in ESP or ES (ISO 3166)."), code="country"
)


def flaw_of_days(arrival: date, departure: date) -> tuple[str, str] | None:
    """The field that is wrong and what is wrong with it, if anything is."""
    if not FIRST_DAY <= arrival <= LAST_DAY:
        return "arrival", str(_("The arrival must lie between 1970 and 2199."))
    if departure <= arrival:
        return "departure", str(_("The departure must be after the arrival."))
    if (departure - arrival).days > MOST_NIGHTS:
        return "departure", str(_("A stay has at most 730 nights."))
    return None

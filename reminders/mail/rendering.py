"""Rendering of a template and a reservation into the subject, text and HTML of a message, in the guest's language.

Staff write the templates. Templates can use plain values and the tags and filters of `template_sandbox`, but can't load
other templates. Rendering has limits (`template_limits`). Values are escaped in HTML, but not in plain text.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import get_template
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from hotelagent.core.text import single_line
from reminders.mail.branding import BrandingContext
from reminders.mail.template_sandbox import render_source
from reminders.models import Reservation, Template

#: The language that is used if a template or text does not exist in the requested language.
FALLBACK_LANGUAGE = "en"

#: The variables that templates may use.
TEMPLATE_VARIABLES = frozenset(
    {
        "guest_name",
        "hotel_name",
        "arrival",
        "departure",
        "nights",
        "adults",
        "children",
        "room_type",
        "number",
    }
)

_LAYOUT = "hotelagent/mail.html"
_MAX_SUBJECT_LENGTH = 200
# The date formats of e-mails in English and Spanish. The admin uses shorter formats (`hotelagent.formats`).
_DATE_FORMATS = {"en": "j F Y", "es": r"j \d\e F \d\e Y"}
_RIGHT_TO_LEFT = frozenset({"R", "AL"})  # Unicode's classes of right-to-left letters


@dataclass(frozen=True, slots=True)
class RenderedMessage:
    """The rendered parts of a message and the language of the template."""

    subject: str
    text: str
    html: str
    language: str


def select_template(templates: Iterable[Template], *, languages: Iterable[str]) -> Template | None:
    """Return the template in the first language of `languages` for which there is a template.

    A template in "pt" also matches the language "pt-br". If no template matches, the English template is returned, or
    else any other template.
    """
    by_language = {template.language.lower(): template for template in templates}
    for language in (*languages, FALLBACK_LANGUAGE):
        code = language.lower()
        for candidate in (code, _base_language(code)):
            if candidate in by_language:
                return by_language[candidate]
    return next(iter(by_language.values()), None)


def render(
    template: Template, *, reservation: Reservation, branding: BrandingContext, unsubscribe_url: str
) -> RenderedMessage:
    """Return the message that the template renders for the reservation. Raises InvalidTemplate."""
    hotel_name = single_line(branding.hotel.name)
    subject, text, body = render_parts(template, reservation=reservation, hotel_name=hotel_name)
    footer_language = catalogue_language(template.language)
    with translation.override(footer_language):
        reason = _("You receive this e-mail because you booked a stay at %(hotel)s.") % {"hotel": hotel_name}
        unsubscribe = _("Unsubscribe")
    html = get_template(_LAYOUT).render(
        {
            "subject": subject,
            "body": body,
            "language": template.language,
            "direction": "rtl" if _is_right_to_left(template.language) else "ltr",
            "branding": branding,
            "footer_language": footer_language,
            "reason": reason,
            "footer_link": unsubscribe,
            "footer_url": unsubscribe_url,
        }
    )
    text = f"{text.rstrip()}\n\n-- \n{reason}\n{unsubscribe}: {unsubscribe_url}\n"
    return RenderedMessage(subject=subject, text=text, html=html, language=template.language)


def render_preview(template: Template, *, branding: BrandingContext, unsubscribe_url: str) -> RenderedMessage:
    """Return the template rendered for the newest reservation, or for an example. Raises InvalidTemplate."""
    newest = Reservation.objects.order_by("-id").first()
    return render(
        template,
        reservation=newest or example_reservation(),
        branding=branding,
        unsubscribe_url=unsubscribe_url,
    )


def render_parts(template: Template, *, reservation: Reservation, hotel_name: str) -> tuple[str, str, str]:
    """Return the subject, the text and the HTML of the template, without the layout. Raises InvalidTemplate."""
    values = _values(reservation, hotel_name=hotel_name, language=template.language)
    # Django marks rendered text as safe HTML. `single_line` removes this mark, so the layout escapes the subject.
    subject = single_line(render_source(template.subject, values, is_html=False))[:_MAX_SUBJECT_LENGTH]
    text = render_source(template.text, values, is_html=False)
    body = render_source(template.html, values, is_html=True)
    return subject, text, body


def example_reservation() -> Reservation:
    """Return an unsaved reservation for previews and checks of templates."""
    today = timezone.now().date()
    return Reservation(
        external_id="R000123",
        guest_name="Ana Lima",
        arrival=today,
        departure=today + timedelta(days=2),
        adults=2,
    )


def catalogue_language(language: str) -> str:
    """Return the language if the project has translations for this language, otherwise return English."""
    candidates = (language, _base_language(language))
    return next((code for code in candidates if code in _catalogues()), FALLBACK_LANGUAGE)


@functools.cache
def _catalogues() -> frozenset[str]:
    folders = (folder for path in settings.LOCALE_PATHS for folder in Path(path).iterdir())
    return frozenset({FALLBACK_LANGUAGE, *(translation.to_language(folder.name) for folder in folders)})


def _values(reservation: Reservation, *, hotel_name: str, language: str) -> dict[str, Any]:
    guest_name = reservation.guest_name or _unnamed_guest(language)
    return {
        "guest_name": _isolate(guest_name, language=language),
        "hotel_name": _isolate(hotel_name, language=language),
        "arrival": long_date(reservation.arrival, language=language),
        "departure": long_date(reservation.departure, language=language),
        "nights": reservation.nights,
        "adults": reservation.adults,
        "children": reservation.children,
        "room_type": reservation.room_type,
        "number": reservation.external_id,
    }


def _unnamed_guest(language: str) -> str:
    """Return the text that e-mails contain instead of an unknown guest name."""
    with translation.override(catalogue_language(language)):
        return _("guest")


@functools.lru_cache(maxsize=1024)
def long_date(day: date, *, language: str) -> str:
    """Return the date with the day of the week, as in a letter: "Friday, 10 May 2030"."""
    base_language = _base_language(language)
    with translation.override(language):
        date_text = formats.date_format(day, _DATE_FORMATS.get(base_language, "DATE_FORMAT"))
        text = f"{formats.date_format(day, 'l')}, {date_text}"
    # Convert Portuguese dates to lower case, because Django wrongly capitalizes the names of days and months.
    return text.lower() if base_language == "pt" else text


def _isolate(name: str, *, language: str) -> str:
    """Return the name, enclosed in Unicode isolates if the name and the text have different writing directions."""
    if name.isascii() and not _is_right_to_left(language):
        return name
    other_direction = {"L"} if _is_right_to_left(language) else _RIGHT_TO_LEFT
    if any(unicodedata.bidirectional(character) in other_direction for character in name):
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"
    return name


def _is_right_to_left(language: str) -> bool:
    return _base_language(language) in settings.LANGUAGES_BIDI


def _base_language(language: str) -> str:
    return language.partition("-")[0]

"""Turns a rule's template and a reservation into subject, text and HTML in the guest's language.

A template is staff's own text, so it gets plain values and Django's built-in tags, and nothing to load or
include. HTML is escaped, text is not.
"""

from __future__ import annotations

import functools
import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import Context, Template, TemplateSyntaxError
from django.template.base import TextNode, VariableNode
from django.template.loader import get_template
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from hotelagent.core.text import single_line
from reminders.errors import InvalidTemplate
from reminders.mail import variables
from reminders.mail.branding import BrandingContext
from reminders.mail.string_template import Pieces
from reminders.mail.template_sandbox import StaffEngine, check_loops
from reminders.models import Reservation
from reminders.models import Template as StoredTemplate

LAST_RESORT = "en"
#: Where staff have a shorter one (`hotelagent.formats`). Portuguese Django has in capitals, which ended in 1990.
_IN_LETTERS = {"en": "j F Y", "es": r"j \d\e F \d\e Y"}
_SUBJECT_LENGTH = 200
#: Characters of one part of a template. Gmail cuts off what is longer than 102 kB.
_MOST = 60_000
_LAYOUT = "reminders/mail.html"
#: What differs on its page, by hotel or by guest.
_PLACES = ("subject", "body", "unsubscribe", "why",
    "hotel_name", "colour", "text_colour", "logo_url", "logo_width", "logo_height")  # fmt: skip
_HTML = StaffEngine(autoescape=True)
_TEXT = StaffEngine(autoescape=False)
# What reads files, shows settings, depends on where and when it is rendered, or lets a guest's name be HTML.
_FORBIDDEN = re.compile(
    r"\{%\s*(include|extends|load|debug|lorem|now|url|autoescape)\b|\|\s*(safe|safeseq)\b"
)
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    text: str
    html: str
    language: str


def select_template(
    templates: Iterable[StoredTemplate], *, languages: Iterable[str]
) -> StoredTemplate | None:
    """The template in the first of `languages` that has one ("pt-br" takes "pt"), else in English, else any."""
    by_language = {template.language.lower(): template for template in templates}
    for language in (*languages, LAST_RESORT):
        code = language.lower()
        for candidate in (code, code.partition("-")[0]):
            if candidate in by_language:
                return by_language[candidate]
    return next(iter(by_language.values()), None)


def render(
    template: StoredTemplate, *, reservation: Reservation, branding: BrandingContext, unsubscribe: str
) -> Rendered:
    """The mail's three parts. Raises InvalidTemplate."""
    hotel_name = single_line(branding.hotel.name)
    subject, text, body = _filled(template, reservation=reservation, hotel_name=hotel_name)
    layout = _layout(template.language, has_logo=bool(branding.logo_url))
    why = layout.why % {"hotel": hotel_name}
    html = layout.page.filled(
        {
            **branding.escaped,
            "subject": escape(subject),
            "body": body,
            "why": escape(why),
            "unsubscribe": escape(unsubscribe),
        }
    )
    text = f"{text.rstrip()}\n\n-- \n{why}\n{layout.stop}: {unsubscribe}\n"
    return Rendered(subject=subject, text=text, html=html, language=template.language)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What stands around a mail's text. `page`: HTML, the same for all hotels but for its places. `why` has one
    for the hotel's name."""

    page: Pieces
    why: str
    stop: str


@functools.lru_cache(maxsize=256)
def _layout(language: str, *, has_logo: bool) -> _Layout:
    words = words_language(language)
    with translation.override(words):
        why = _("You get this mail because you have booked a stay at %(hotel)s.")
        stop = _("Unsubscribe")
    names = {secrets.token_hex(16): name for name in _PLACES}
    place = {name: token for token, name in names.items()}
    html = get_template(_LAYOUT).render(
        {
            **place,
            "direction": "rtl" if _reads_right_to_left(language) else "ltr",
            "language": language,
            "branding": {
                "hotel": {"name": place["hotel_name"]},
                "colour": place["colour"],
                "text_colour": place["text_colour"],
                "logo_url": place["logo_url"] if has_logo else "",
                "logo_size": (place["logo_width"], place["logo_height"]),
            },
            "stop": stop,
            "words": words,
        }
    )
    split = re.split(f"({'|'.join(names)})", html)
    page = Pieces(texts=tuple(split[::2]), names=tuple(names[token] for token in split[1::2]))
    return _Layout(page, why=why, stop=stop)


def _filled(template: StoredTemplate, *, reservation: Reservation, hotel_name: str) -> tuple[str, str, str]:
    values = _values(reservation, hotel_name=hotel_name, language=template.language)
    try:
        # One line also makes it a plain string again: what was rendered without escaping counts as safe HTML.
        subject = single_line(_part(template.subject, values, is_html=False))[:_SUBJECT_LENGTH]
        text = _part(template.text, values, is_html=False)
        body = _part(template.html, values, is_html=True)
    except (TemplateSyntaxError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise InvalidTemplate(str(error)) from error
    return subject, text, body


def _part(source: str, values: dict[str, Any], *, is_html: bool) -> str:
    pieces = _pieces(source, is_html=is_html)
    if pieces is not None:
        return pieces.filled(values, write=_escaped if is_html else str)
    rendered: str = _compiled(source, is_html=is_html).render(Context(values, autoescape=is_html))
    return rendered


def _escaped(value: object) -> str:
    return escape(str(value))


@functools.lru_cache(maxsize=512)
def _pieces(source: str, *, is_html: bool) -> Pieces | None:
    """A template that is text and names of variables, as most are. None where it has filters or tags."""
    texts, names = [""], []
    for node in _compiled(source, is_html=is_html).nodelist:
        if isinstance(node, TextNode):
            texts[-1] += node.s
        elif isinstance(node, VariableNode) and (name := str(node.filter_expression)) in variables.AVAILABLE:
            texts.append("")
            names.append(name)
        else:
            return None
    return Pieces(tuple(texts), tuple(names))


def words_language(language: str) -> str:
    """The language of what the layout says around a template: the template's, where we have it, else English."""
    candidates = (language, language.partition("-")[0])
    return next((code for code in candidates if code in _catalogues()), LAST_RESORT)


@functools.cache
def _catalogues() -> frozenset[str]:
    folders = (folder for path in settings.LOCALE_PATHS for folder in Path(path).iterdir())
    return frozenset({LAST_RESORT, *(translation.to_language(folder.name) for folder in folders)})


def render_preview(template: StoredTemplate, *, branding: BrandingContext, unsubscribe: str) -> Rendered:
    """The template with the newest reservation, or with an invented one. Raises InvalidTemplate."""
    newest = Reservation.objects.order_by("-id").first()
    return render(template, reservation=newest or _invented(), branding=branding, unsubscribe=unsubscribe)


def _invented() -> Reservation:
    today = timezone.now().date()
    return Reservation(
        external_id="R000123",
        guest_name="Ana Lima",
        arrival=today,
        departure=today + timedelta(days=2),
        adults=2,
    )


def validate_template(*, subject: str, text: str, html: str) -> None:
    """Raise InvalidTemplate unless all parts compile, render, and use no variable that does not exist."""
    for part, source, is_html in (("subject", subject, False), ("text", text, False), ("html", html, True)):
        if len(source) > _MOST:
            raise InvalidTemplate(
                f"{part}: {len(source)} characters; {_MOST} are the most, or mail programs cut it off.",
                part=part,
            )
        if found := _FORBIDDEN.search(source):
            raise InvalidTemplate(f"{part}: {found[1] or found[2]} is not available here.", part=part)
        try:
            compiled = _compiled(source, is_html=is_html)
            check_loops(compiled)
        except TemplateSyntaxError as error:
            raise InvalidTemplate(f"{part}: {error}", part=part) from error
        if unknown := sorted(variables.used(compiled.nodelist) - variables.AVAILABLE):
            raise InvalidTemplate(
                f"{part}: there is no {', '.join(unknown)}. Available: {', '.join(sorted(variables.AVAILABLE))}.",
                part=part,
                unknown=unknown,
            )
        trial = StoredTemplate(language=LAST_RESORT, **{part: source})
        try:
            _filled(trial, reservation=_invented(), hotel_name="")
        except InvalidTemplate as error:
            raise InvalidTemplate(f"{part}: {error}", part=part) from error


@functools.lru_cache(maxsize=512)
def _compiled(source: str, *, is_html: bool) -> Template:
    return Template(source, engine=_HTML if is_html else _TEXT)


def _values(reservation: Reservation, *, hotel_name: str, language: str) -> dict[str, Any]:
    return {
        "guest_name": _isolated(reservation.guest_name or _unnamed_guest(language), language=language),
        "hotel_name": _isolated(hotel_name, language=language),
        "arrival": spoken_date(reservation.arrival, language=language),
        "departure": spoken_date(reservation.departure, language=language),
        "nights": reservation.nights,
        "adults": reservation.adults,
        "children": reservation.children,
        "room_type": reservation.room_type,
        "number": reservation.external_id,
    }


@functools.lru_cache(maxsize=256)
def _unnamed_guest(language: str) -> str:
    """Return the form of address for a guest whose name the hotel does not know."""
    with translation.override(words_language(language)):
        return _("guest")


def _reads_right_to_left(language: str) -> bool:
    return language.partition("-")[0] in settings.LANGUAGES_BIDI


def _isolated(name: str, *, language: str) -> str:
    """A name that reads the other way than the text around it, kept from turning that round (UAX 9, 2.4.2)."""
    against = {"L"} if _reads_right_to_left(language) else _RIGHT_TO_LEFT
    if name.isascii() and against is _RIGHT_TO_LEFT:
        return name
    if any(unicodedata.bidirectional(character) in against for character in name):
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"
    return name


@functools.lru_cache(maxsize=4096)
def spoken_date(day: date, *, language: str) -> str:
    """A date as people of that language write it in a letter, with the day of the week."""
    with translation.override(language):
        written = formats.date_format(day, _IN_LETTERS.get(language.partition("-")[0], "DATE_FORMAT"))
        spoken = f"{formats.date_format(day, 'l')}, {written}"
    return spoken.lower() if language.partition("-")[0] == "pt" else spoken

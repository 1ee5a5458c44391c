"""Understands a channel manager's calendar: an event is a booking, its UID the number."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidFile

MOST_BYTES = 5_000_000
_NUMBER = 64  # characters of a reservation's number

#: How the channels write that nobody may book: "Airbnb (Not available)", "CLOSED - Not available".
_BLOCK = re.compile(r"not available|unavailable|\bblocked\b|\bclosed\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Event:
    """`guest_name` is the summary; what a channel does not tell is empty."""

    number: str
    arrival: date
    departure: date
    guest_name: str
    guest_email: str
    is_cancelled: bool
    is_block: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that can't be a booking. `detail` may be a `TranslatableMessage`."""

    uid: str
    detail: str


def read(content: bytes, *, zone: ZoneInfo) -> list[Event | Refused]:
    """Every event once, the latest of those with one UID; moments become days by the clock of `zone`.

    Raises InvalidFile.
    """
    import icalendar  # noqa: PLC0415 - a tenth of a second that only who reads a calendar pays

    if len(content) > MOST_BYTES:
        raise InvalidFile(
            TranslatableMessage(
                _("The calendar has {bytes:,} bytes; {most:,} are the most."),
                bytes=len(content),
                most=MOST_BYTES,
            )
        )
    try:
        calendars = icalendar.Calendar.from_ical(content, multiple=True)
    except (ValueError, IndexError, KeyError) as error:
        raise InvalidFile(
            TranslatableMessage(_("This is no iCalendar: {why}"), why=str(error)[:200])
        ) from error
    if not calendars or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise InvalidFile(TranslatableMessage(_("This is no iCalendar: it has no BEGIN:VCALENDAR.")))
    latest: dict[str, tuple[int, Event | Refused]] = {}
    for calendar in calendars:
        calls_off = str(calendar.get("METHOD", "")).upper() == "CANCEL"
        for place, component in enumerate(calendar.walk("VEVENT")):
            found = _event(component, zone=zone, calls_off=calls_off)
            key = found.uid or f"{place}" if isinstance(found, Refused) else found.number
            sequence = int(component.get("SEQUENCE", 0) or 0)
            if key not in latest or sequence >= latest[key][0]:
                latest[key] = sequence, found
    return [found for _sequence, found in latest.values()]


def _event(component: Any, *, zone: ZoneInfo, calls_off: bool) -> Event | Refused:
    uid = str(component.get("UID", "")).strip()
    try:
        if not uid:
            raise ValueError(TranslatableMessage(_("It has no UID.")))  # noqa: TRY301 - one place says what becomes of it
        if component.get("RRULE") or component.get("RECURRENCE-ID"):
            raise ValueError(TranslatableMessage(_("It repeats, and a booking does not.")))  # noqa: TRY301
        arrival = _day(component, "DTSTART", zone=zone)
        summary = str(component.get("SUMMARY", "")).strip()
        return Event(
            number=_number(uid),
            arrival=arrival,
            departure=_departure(component, arrival, zone=zone),
            guest_name=summary or uid[:_NUMBER],
            guest_email=_email(component),
            is_cancelled=calls_off or str(component.get("STATUS", "")).upper() == "CANCELLED",
            is_block=bool(_BLOCK.search(summary)),
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        said = error.args[0] if error.args else ""
        return Refused(uid[:200], said if isinstance(said, TranslatableMessage) else str(error))


def _departure(component: Any, arrival: date, *, zone: ZoneInfo) -> date:
    """RFC 5545, 3.6.1: DTEND, or the start and DURATION; an event of days without either is one day."""
    if component.get("DTEND"):
        return _day(component, "DTEND", zone=zone)
    if component.get("DURATION"):
        duration: timedelta = component.get("DURATION").dt
        return arrival + duration
    return arrival + timedelta(days=1)


def _day(component: Any, name: str, *, zone: ZoneInfo) -> date:
    if component.get(name) is None:
        raise ValueError(TranslatableMessage(_("It has no {name} that can be read."), name=name))
    at = component.get(name).dt
    if isinstance(at, datetime):
        return (at.astimezone(zone) if at.tzinfo else at).date()
    if not isinstance(at, date):
        raise ValueError(TranslatableMessage(_("Its {name} is no day."), name=name))  # noqa: TRY004 - the calendar's fault, not the caller's
    return at


def _number(uid: str) -> str:
    """The UID; a longer one than a number may be ends in its digest, which keeps it unique."""
    if len(uid) <= _NUMBER:
        return uid
    digest = hashlib.sha256(uid.encode()).hexdigest()[:16]
    return f"{uid[: _NUMBER - 17]}~{digest}"


def _email(component: Any) -> str:
    attendees = component.get("ATTENDEE", "")
    first = str(attendees[0] if isinstance(attendees, list) and attendees else attendees or "")
    return first[7:].strip() if first.lower().startswith("mailto:") else ""

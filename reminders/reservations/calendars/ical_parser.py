"""The parser of the iCalendar files (RFC 5545) of channels. The UID of an event is its booking number."""

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

MAX_BYTES = 5_000_000
_MAX_NUMBER_LENGTH = 64

#: Matches event titles with which channels mark closed nights, such as "Airbnb (Not available)".
_CLOSURE = re.compile(r"not available|unavailable|\bblocked\b|\bclosed\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """A booking or a closure from a calendar. `guest_name` is the summary of the event. Missing values are empty."""

    number: str
    arrival: date
    departure: date
    guest_name: str
    guest_email: str
    is_cancelled: bool
    is_closure: bool


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event that can't be imported. `detail` is the reason, if possible a `TranslatableMessage`."""

    uid: str
    detail: str


def parse_calendar(content: bytes, *, zone: ZoneInfo) -> list[CalendarEvent | RejectedEvent]:
    """Return the events of the calendar. Of several events with one UID, the event with the highest SEQUENCE counts.

    Times are converted to dates in `zone`. Raises InvalidFile.
    """
    import icalendar  # noqa: PLC0415 - takes 0.1 seconds, which processes without calendars should not pay

    if len(content) > MAX_BYTES:
        raise InvalidFile(
            TranslatableMessage(
                _("The calendar is too large: {size:,} bytes (limit: {limit:,})."),
                size=len(content),
                limit=MAX_BYTES,
            )
        )
    try:
        calendars = icalendar.Calendar.from_ical(content, multiple=True)
    except (ValueError, IndexError, KeyError) as error:
        raise InvalidFile(
            TranslatableMessage(_("Not a valid iCalendar file: {reason}"), reason=str(error)[:200])
        ) from error
    if not calendars or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise InvalidFile(TranslatableMessage(_("Not an iCalendar file: BEGIN:VCALENDAR is missing.")))
    latest: dict[str, tuple[int, CalendarEvent | RejectedEvent]] = {}
    for calendar in calendars:
        is_cancellation = str(calendar.get("METHOD", "")).upper() == "CANCEL"
        for index, component in enumerate(calendar.walk("VEVENT")):
            event = _parse_event(component, zone=zone, is_cancellation=is_cancellation)
            key = event.uid or f"{index}" if isinstance(event, RejectedEvent) else event.number
            sequence = int(component.get("SEQUENCE", 0) or 0)
            if key not in latest or sequence >= latest[key][0]:
                latest[key] = sequence, event
    return [event for _sequence, event in latest.values()]


def _parse_event(component: Any, *, zone: ZoneInfo, is_cancellation: bool) -> CalendarEvent | RejectedEvent:
    uid = str(component.get("UID", "")).strip()
    try:
        if not uid:
            raise ValueError(TranslatableMessage(_("The event has no UID.")))  # noqa: TRY301 - handled below
        if component.get("RRULE") or component.get("RECURRENCE-ID"):
            raise ValueError(TranslatableMessage(_("Recurring events can't be imported.")))  # noqa: TRY301
        arrival = _date(component, "DTSTART", zone=zone)
        summary = str(component.get("SUMMARY", "")).strip()
        return CalendarEvent(
            number=_reservation_number(uid),
            arrival=arrival,
            departure=_departure(component, arrival, zone=zone),
            guest_name=summary or uid[:_MAX_NUMBER_LENGTH],
            guest_email=_email(component),
            is_cancelled=is_cancellation or str(component.get("STATUS", "")).upper() == "CANCELLED",
            is_closure=bool(_CLOSURE.search(summary)),
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        reason = error.args[0] if error.args else ""
        return RejectedEvent(uid[:200], reason if isinstance(reason, TranslatableMessage) else str(error))


def _departure(component: Any, arrival: date, *, zone: ZoneInfo) -> date:
    """Return the departure date: DTEND, or the arrival plus DURATION.

    An event with neither lasts one day (RFC 5545, section 3.6.1).
    """
    if component.get("DTEND"):
        return _date(component, "DTEND", zone=zone)
    if component.get("DURATION"):
        duration: timedelta = component.get("DURATION").dt
        return arrival + duration
    return arrival + timedelta(days=1)


def _date(component: Any, name: str, *, zone: ZoneInfo) -> date:
    if component.get(name) is None:
        raise ValueError(
            TranslatableMessage(_("The {name} of the event is missing or can't be read."), name=name)
        )
    value = component.get(name).dt
    if isinstance(value, datetime):
        return (value.astimezone(zone) if value.tzinfo else value).date()
    if not isinstance(value, date):
        raise ValueError(TranslatableMessage(_("The {name} of the event is not a date."), name=name))  # noqa: TRY004 - an error of the file
    return value


def _reservation_number(uid: str) -> str:
    """Return the UID as the reservation number. The end of a long UID is replaced by a digest, to keep it unique."""
    if len(uid) <= _MAX_NUMBER_LENGTH:
        return uid
    digest = hashlib.sha256(uid.encode()).hexdigest()[:16]
    return f"{uid[: _MAX_NUMBER_LENGTH - 17]}~{digest}"


def _email(component: Any) -> str:
    attendees = component.get("ATTENDEE", "")
    first = str(attendees[0] if isinstance(attendees, list) and attendees else attendees or "")
    return first[7:].strip() if first.lower().startswith("mailto:") else ""

"""The reader for a single calendar event.

The reader never raises an error. If a value can't be read, the attribute `problem` of the event contains the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.text import single_line
from locks.allocations.occupancy import Span
from reminders.models.validators import FIRST_DAY, LAST_DAY
from reminders.reservations.calendars.content import EventLines
from reminders.reservations.calendars.properties import (
    Properties,
    TimeZones,
    add_duration,
    are_whole_days,
    is_only_date,
    local_day,
    read_date,
)
from reminders.reservations.calendars.recurrence import recurrence_day
from reminders.reservations.calendars.uids import shorten_uid

_MAX_NAME_LENGTH = 200
_ONE_DAY = timedelta(days=1)
_Result = TypeVar("_Result")


@dataclass(slots=True)
class Event:
    """An event of a calendar. Missing values are empty or None. `problem` is the error if the event can't be read.

    `arrival` and `departure` are in the hotel's time zone. `takes_nights` is False for events that occupy no night. If
    this event replaces one occurrence of a repeating event, `replaced_day` is the date of that occurrence.
    """

    properties: Properties
    uid: str
    sequence: int
    summary: str
    is_cancelled: bool
    is_tentative: bool
    is_repeating: bool
    takes_nights: bool
    guest_email: str = ""
    has_invalid_email: bool = False
    start: date | datetime | None = None
    end: date | datetime | None = None
    arrival: date | None = None
    departure: date | None = None
    replaced_day: date | None = None
    problem: str = ""

    @property
    def span(self) -> Span | None:
        """Return the nights of the event, or None if a date is missing or wrong."""
        if self.problem or self.arrival is None or self.departure is None:
            return None
        return self.arrival, self.departure


def read_event(source: EventLines, *, zone: ZoneInfo, time_zones: TimeZones) -> Event:
    """Return the event that these lines describe. Times are converted to dates in `zone`."""
    properties = Properties(source.lines)
    status = properties.text("STATUS").upper()
    event = Event(
        properties,
        uid=shorten_uid(properties.text("UID")),
        sequence=_sequence(properties.text("SEQUENCE")),
        summary=single_line(properties.text("SUMMARY"))[:_MAX_NAME_LENGTH],
        is_cancelled=source.is_cancellation or status == "CANCELLED",
        is_tentative=status == "TENTATIVE",
        is_repeating=bool(properties.get("RRULE") or properties.get("RDATE")),
        takes_nights=properties.text("TRANSP").upper() != "TRANSPARENT",
    )
    _read_email(event)
    _read_dates(event, zone=zone, time_zones=time_zones)
    return event


def _read_dates(event: Event, *, zone: ZoneInfo, time_zones: TimeZones) -> None:
    event.start = _read_or_store_problem(event, lambda: _start(event.properties, time_zones))
    start_property = event.properties.get("DTSTART")
    event.end = _read_or_store_problem(event, lambda: _end(event.properties, event.start, time_zones))
    if start_property and are_whole_days(start_property, event.properties.get("DTEND")):
        event.start, event.end = (
            value.date() if isinstance(value, datetime) else value for value in (event.start, event.end)
        )
    event.arrival = _read_or_store_problem(event, lambda: _day(event.start, zone=zone))
    event.departure = _read_or_store_problem(event, lambda: _day(event.end, zone=zone))
    if event.start is not None:
        start = event.start
        event.replaced_day = _read_or_store_problem(
            event, lambda: recurrence_day(event.properties, start=start, time_zones=time_zones)
        )
    _check_order(event)


def _check_order(event: Event) -> None:
    if event.arrival is None or event.departure is None or event.departure > event.arrival:
        return
    is_within_a_day = event.departure == event.arrival
    if is_within_a_day and isinstance(event.start, datetime) and isinstance(event.end, datetime):
        # If the start and the end have different time zones, they are not compared, and the event takes no nights.
        has_other_zone = event.start.tzinfo != event.end.tzinfo
        event.takes_nights = not has_other_zone and event.start > event.end
        if not event.takes_nights:
            return
    event.problem = event.problem or TranslatableMessage(_("Departure must be after arrival."))
    event.departure = event.arrival + _ONE_DAY if is_within_a_day else None


def _read_or_store_problem(event: Event, read: Callable[[], _Result]) -> _Result | None:
    """Call `read` and return its result, or None if it raises an error.

    The first error of an event is stored as the problem of the event.
    """
    try:
        return read()
    except (ValueError, TypeError, AttributeError, OverflowError, LookupError) as error:
        reason = error.args[0] if error.args else ""
        if not isinstance(reason, TranslatableMessage):
            reason = TranslatableMessage(_("The dates of the event can't be read."))
        event.problem = event.problem or reason
        return None


def _start(properties: Properties, time_zones: TimeZones) -> date | datetime:
    found = properties.get("DTSTART")
    if found is None:
        raise ValueError(TranslatableMessage(_("The start of the event is missing or can't be read.")))
    # Text after the date may be the next line, joined to this line because of a damaged line break.
    properties.has_damaged_lines |= not is_only_date(found)
    return read_date("DTSTART", found, time_zones=time_zones)


def _end(
    properties: Properties, start: date | datetime | None, time_zones: TimeZones
) -> date | datetime | None:
    """Return DTEND, or the start plus DURATION, or the start plus one day (RFC 5545, section 3.6.1).

    Raises ValueError if both properties are missing and the event has damaged lines, because a damaged line may contain
    the end.
    """
    if found := properties.get("DTEND"):
        return read_date("DTEND", found, time_zones=time_zones)
    if start is None:
        return None
    if found := properties.get("DURATION"):
        return add_duration(start, found.value)
    if properties.has_damaged_lines:
        raise ValueError(TranslatableMessage(_("The end of the event is missing or can't be read.")))
    return start + _ONE_DAY


def _day(value: date | datetime | None, *, zone: ZoneInfo) -> date | None:
    if value is None:
        return None
    day = local_day(value, zone=zone)
    if not FIRST_DAY <= day <= LAST_DAY + timedelta(days=366):
        raise ValueError(TranslatableMessage(_("Arrival must be between the years 1970 and 2199.")))
    return day


def _sequence(text: str) -> int:
    """Return the SEQUENCE property of an event as an integer. Return 1 for `1.0`, and 0 for invalid text."""
    try:
        return int(text.partition(".")[0] or 0)
    except ValueError:
        return 0


def _read_email(event: Event) -> None:
    """Set `event.guest_email` to the e-mail address of the event's first attendee, if the address is valid."""
    attendee = event.properties.text("ATTENDEE")
    if attendee.lower().startswith("mailto:"):
        address = single_line(attendee[len("mailto:") :])
        try:
            validate_email(address)
        except ValidationError:
            event.has_invalid_email = bool(address)
        else:
            event.guest_email = address

"""Functions that read the properties of an event with `icalendar`, and convert dates to the hotel's time zone."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from dateutil import tz
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage

_LINE = re.compile(r"([A-Za-z0-9-]+)\s*[:;]")
_REPEATABLE = frozenset({"RRULE", "RDATE", "EXDATE", "ATTENDEE"})
#: The properties that determine how an event is imported. Other lines are not parsed.
_PARSED = frozenset(
    {"UID", "DTSTART", "DTEND", "DURATION", "SUMMARY", "STATUS", "TRANSP", "SEQUENCE", "ATTENDEE"}
    | {"RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}
)
_DATE_PREFIX = re.compile(r"\d{8}(T\d{6}Z?)?")
#: Matches the lines that dateutil needs from a time zone definition.
#: All lines that do not match this pattern are omitted, because dateutil would reject some of these lines.
_TIME_ZONE_LINE = re.compile(
    r"(BEGIN|END|TZID|DTSTART|RRULE|RDATE|TZOFFSETFROM|TZOFFSETTO)[:;]", re.IGNORECASE
)
#: The recurrence rules that are accepted in time zone definitions: rules with FREQ=YEARLY and simple conditions.
#: Rules that do not match this pattern are refused, because computing their dates could keep a worker busy for hours.
_TIME_ZONE_RULE = re.compile(
    r"RRULE:(FREQ=YEARLY|INTERVAL=1|BYMONTH=\d+|BYDAY=[+-]?\d*[A-Z]{2}|BYMONTHDAY=[\d,]+|UNTIL=\w+|COUNT=\d+|WKST=\w+|;)+"
)

_NOT_A_DATE = {
    "DTSTART": _("The start of the event is not a date."),
    "DTEND": _("The end of the event is not a date."),
}

TimeZones = Mapping[str, tzinfo]


@dataclass(frozen=True, slots=True)
class Property:
    """A line of an event: the parameters, with names in upper case, and the value without escape sequences."""

    params: Mapping[str, str]
    value: str


class Properties:
    """The properties of an event.

    If a property that may occur only once is repeated, the first value is used. `has_damaged_lines` is True if some
    lines are not valid. In this case, properties may be missing.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        from icalendar.parser import Contentline  # noqa: PLC0415 - see `parse_calendar`
        from icalendar.prop import TypesFactory  # noqa: PLC0415

        self.has_damaged_lines = False
        self._values: dict[str, list[Property]] = {}
        for line in lines:
            match = _LINE.match(line)
            name = match[1].upper() if match else ""
            if name not in _PARSED:
                is_known = name in TypesFactory.types_map or name.startswith("X-")
                self.has_damaged_lines |= not is_known
                continue
            try:
                _name, params, value = Contentline(line).parts()  # type: ignore[no-untyped-call]
            except ValueError:
                self.has_damaged_lines = True
                continue
            is_repeated = name in self._values and name not in _REPEATABLE
            if is_repeated or not (value or name == "SUMMARY"):
                self.has_damaged_lines = True
            else:
                texts = {key.upper(): str(param) for key, param in params.items()}
                self._values.setdefault(name, []).append(Property(texts, str(value)))

    def get(self, name: str) -> Property | None:
        """Return the first property with this name, or None."""
        return next(iter(self._values.get(name, ())), None)

    def text(self, name: str) -> str:
        """Return the value of the first property with this name, or an empty string."""
        found = self.get(name)
        return found.value.strip() if found else ""

    def all(self, name: str) -> list[Property]:
        """Return all properties of the event that have this name."""
        return self._values.get(name, [])


def read_date(name: str, found: Property, *, time_zones: TimeZones) -> date | datetime:
    """Return the date, or the date and time, of a property. A time without a time zone is the hotel's local time.

    Characters after the date are ignored, because a damaged line break may have joined the next line to the date.
    Raises ValueError.
    """
    from icalendar.prop import vDDDTypes  # noqa: PLC0415 - see `parse_calendar`

    match = _DATE_PREFIX.match(found.value.strip())
    if match is None:
        raise _not_a_date(name)
    tzid = found.params.get("TZID")
    try:
        value = vDDDTypes.from_ical(match[0], tzid)  # type: ignore[no-untyped-call]
    except ValueError:  # raised for dates such as 31 February
        raise _not_a_date(name) from None
    if isinstance(value, datetime) and value.tzinfo is None and tzid and tzid in time_zones:
        value = value.replace(tzinfo=time_zones[tzid])
    result: date | datetime = value
    return result


def _not_a_date(name: str) -> ValueError:
    return ValueError(
        TranslatableMessage(_NOT_A_DATE.get(name, _("A date of the repeating event can't be read.")))
    )


def is_only_date(found: Property) -> bool:
    """Return whether the value of the property is only a date or a time, without other text."""
    return _DATE_PREFIX.fullmatch(found.value) is not None


def local_day(value: date | datetime, *, zone: ZoneInfo) -> date:
    """Convert a date or datetime to a date in the time zone `zone`. A date is returned unchanged."""
    if not isinstance(value, datetime):
        return value
    return (value.astimezone(zone) if value.tzinfo else value).date()


def add_duration(start: date | datetime, text: str) -> date | datetime:
    """Return the end of an event that starts at `start` and has this DURATION. Raises ValueError or OverflowError.

    If the event starts on a date without a time, the duration is counted from midnight.
    """
    from icalendar.prop import vDuration  # noqa: PLC0415 - see `parse_calendar`

    duration: timedelta = vDuration.from_ical(text.strip())  # type: ignore[no-untyped-call]
    if isinstance(start, datetime):
        return start + duration
    return (datetime(start.year, start.month, start.day) + duration).date()  # noqa: DTZ001 - a date has no time zone


def are_whole_days(start: Property, end: Property | None) -> bool:
    """Return whether the start and the end of an event are both written as midnight in UTC.

    Some systems write the dates of a stay as midnight in UTC. Such times must not be converted to the hotel's time
    zone, because stays in America would then begin and end one day early.
    """
    return all(found is not None and found.value.strip().endswith("T000000Z") for found in (start, end))


def read_time_zones(definitions: Sequence[Sequence[str]]) -> dict[str, tzinfo]:
    """Return the time zones that a calendar defines, by their TZID. Definitions that can't be used are omitted."""
    time_zones: dict[str, tzinfo] = {}
    for definition in definitions:
        lines = [line for line in definition if _TIME_ZONE_LINE.match(line)]
        rules = [line.upper() for line in lines if line.upper().startswith("RRULE")]
        if not all(map(_TIME_ZONE_RULE.fullmatch, rules)):
            continue
        try:
            calendar = tz.tzical(io.StringIO("\n".join(lines)))
            time_zones |= {key: zone for key in calendar.keys() if (zone := calendar.get(key)) is not None}  # noqa: SIM118
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return time_zones

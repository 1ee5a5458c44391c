"""The nights of repeating events (RFC 5545, section 3.8.5), computed with `dateutil`."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from dateutil.rrule import rruleset, rrulestr
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from locks.allocations.occupancy import Span, merge_spans
from reminders.reservations.calendars.properties import Properties, Property, TimeZones, local_day, read_date

#: Repeating events occupy nights up to this number of days from today. Later occurrences are ignored.
HORIZON_DAYS = 1096
#: The time limit in seconds for the computation of all repeating events of one calendar.
#: A recurrence rule may have no occurrences. Without a limit, its evaluation can take eight seconds.
MAX_SECONDS = 5.0
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
#: Parts of a recurrence rule that only change the time of day of an occurrence, or repeat it on the same day.
_PARTS_WITHIN_A_DAY = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})


class Expansion:
    """The calculation of the dates on which the repeating events of one calendar take place.

    Only dates from today to a maximum date are calculated. `reaches_horizon` is True if an event repeats after the
    maximum date. In this case, a later import of the same calendar closes more nights.
    """

    def __init__(self, *, zone: ZoneInfo, today: date, time_zones: TimeZones) -> None:
        self.reaches_horizon = False
        self._zone = zone
        self._today = today
        self._time_zones = time_zones
        self._deadline = time.monotonic() + MAX_SECONDS

    def nights(
        self,
        properties: Properties,
        *,
        start: date | datetime,
        end: date | datetime,
        replaced: Collection[date],
    ) -> tuple[Span, ...]:
        """Return the nights of all occurrences of a repeating event, including the first occurrence, as spans.

        `replaced` contains the dates of occurrences that are left out, because other events of the calendar replace
        them. Raises ValueError if the rule of the event is not valid or takes too long to evaluate.
        """
        zone = start.tzinfo if isinstance(start, datetime) else None
        duration = _naive(end, zone) - _naive(start, zone)
        excluded = {
            moment.date()
            for found in properties.all("EXDATE")
            for moment in self._property_dates(found, zone)
        }
        spans = []
        for occurrence in self._occurrences(properties, _naive(start, zone), zone):
            if occurrence.date() in excluded or occurrence.date() in replaced:
                continue
            arrival, departure = (
                local_day(moment.replace(tzinfo=zone), zone=self._zone)
                for moment in (occurrence, occurrence + duration)
            )
            if departure > self._today:
                spans.append((arrival, max(departure, arrival + timedelta(days=1))))
        return tuple(merge_spans(spans))

    def _occurrences(
        self, properties: Properties, start: datetime, zone: tzinfo | None
    ) -> Iterator[datetime]:
        self._check_deadline()  # dateutil may need seconds to find the first occurrence of a rule.
        occurrences = rruleset()
        occurrences.rdate(start)
        for found in properties.all("RDATE"):
            for moment in self._property_dates(found, zone):
                occurrences.rdate(moment)
        for found in properties.all("RRULE"):
            occurrences.rrule(rrulestr(_rule(found.value, zone), dtstart=start, ignoretz=True))
        horizon = self._today + timedelta(days=HORIZON_DAYS)
        for occurrence in occurrences:
            if occurrence.date() > horizon:
                self.reaches_horizon = True
                return
            self._check_deadline()
            yield occurrence

    def _check_deadline(self) -> None:
        if time.monotonic() > self._deadline:
            raise ValueError(TranslatableMessage(_("The rule of the repeating event is too complex.")))

    def _property_dates(self, found: Property, zone: tzinfo | None) -> list[datetime]:
        """Return the dates in an RDATE or EXDATE property. For a period of time, return its beginning."""
        return [
            _naive(read_date("RDATE", Property(found.params, text), time_zones=self._time_zones), zone)
            for text in found.value.split(",")
        ]


def recurrence_day(properties: Properties, *, start: date | datetime, time_zones: TimeZones) -> date | None:
    """Return the date of the occurrence that this event replaces (RECURRENCE-ID), or None if the event has none.

    The date is in the time zone of `start`, the start of the event.
    """
    found = properties.get("RECURRENCE-ID")
    if found is None:
        return None
    zone = start.tzinfo if isinstance(start, datetime) else None
    return _naive(read_date("RECURRENCE-ID", found, time_zones=time_zones), zone).date()


def _rule(text: str, zone: tzinfo | None) -> str:
    """Return the recurrence rule with its UNTIL date in the local time of the event, without a time zone.

    The start that the caller passes to dateutil also has no time zone, so dateutil compares local times.
    """
    parts = dict(part.strip().partition("=")[::2] for part in text.upper().split(";") if part.strip())
    # dateutil would never return if the INTERVAL were 0.
    if parts.get("FREQ") not in _FREQUENCIES or int(parts.get("INTERVAL", "1")) < 1:
        raise ValueError(TranslatableMessage(_("The rule of the repeating event can't be read.")))
    if until := parts.get("UNTIL"):
        value = read_date("UNTIL", Property({}, until), time_zones={})
        moment = _naive(value, zone)
        if not isinstance(value, datetime):
            moment = moment.replace(hour=23, minute=59)
        parts["UNTIL"] = f"{moment:%Y%m%dT%H%M%S}"
    return ";".join(f"{name}={value}" for name, value in parts.items() if name not in _PARTS_WITHIN_A_DAY)


def _naive(value: date | datetime, zone: tzinfo | None) -> datetime:
    """Return the local time in the event's time zone, as a naive datetime. A date is converted to midnight."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a date has no time zone
    if value.tzinfo is not None and zone is not None:
        value = value.astimezone(zone)
    return value.replace(tzinfo=None)

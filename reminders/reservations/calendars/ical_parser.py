"""The parser for the iCalendar files (RFC 5545) that channels publish.

Every event is read separately. An event that can't be interpreted becomes an `EventProblem` with the nights that the
event may occupy, so that these nights can be closed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from locks.allocations.occupancy import Span
from reminders.models.validators import MAX_NIGHTS
from reminders.reservations.calendars.content import MAX_EVENTS, CalendarContent, check_number_of_events
from reminders.reservations.calendars.event_reader import Event, read_event
from reminders.reservations.calendars.properties import read_time_zones
from reminders.reservations.calendars.recurrence import HORIZON_DAYS, Expansion
from reminders.reservations.calendars.uids import dates_uid

#: The number of nights that are closed if an event has only one readable date. Few stays have more nights.
MAX_UNCERTAIN_NIGHTS = 31
_ONE_DAY = timedelta(days=1)

#: Event titles for closed nights, such as "Airbnb (Not available)" or "CLOSED - Not available".
_CLOSURE = re.compile(
    r"not available|unavailable|no disponible|indispon[ií]vel|\bblocked\b|\bbloquead[oa]\b"
    r"|\bclosed\Z|\Aclosed\b(?!\s*[-–—]\s*\S)"  # noqa: RUF001 - channels write dashes, too
    r"|\Aclosed\s*[-–—]\s*(maintenance|renovation|repairs?|owner|out of (service|order))\b",  # noqa: RUF001
    re.IGNORECASE,
)
#: Matches event titles that begin with a status and end with the name of a guest, such as "CLOSED - Jane Roe".
_GUEST = re.compile(
    r"\A(?:closed|reserved|booked|reservation|inquiry|enquiry|tentative)\s*[-–—]\s*(?P<guest>\S.*)\Z",  # noqa: RUF001
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking from a calendar. If the event has no guest name or address, `guest_name` or `guest_email` is empty.

    If `is_matched_by_dates` is True, the event has no unique UID, so it belongs to the stored booking with the same
    dates. If no stored booking has these dates, a new booking is created, whose `uid` is derived from the dates.
    """

    uid: str
    arrival: date
    departure: date
    guest_name: str
    guest_email: str
    is_inquiry: bool = False
    is_matched_by_dates: bool = False


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The cancellation of the booking with this UID, or of the booking with these dates if `nights` is not None."""

    uid: str
    nights: Span | None = None


@dataclass(frozen=True, slots=True)
class Closure:
    """Nights that the channel marks as not available."""

    uid: str
    nights: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class EventProblem:
    """An event that staff should check.

    `nights` are the nights that the event occupies or may occupy. `detail` is the reason, usually a
    `TranslatableMessage`.
    """

    uid: str
    detail: str
    nights: tuple[Span, ...] = ()


Entry = Booking | Cancellation | Closure | EventProblem


@dataclass(slots=True)
class ParsedCalendar:
    """The content of a calendar.

    Each `EventProblem` in `entries` is an event that can't be imported as a booking or a closure. `warnings` lists
    imported events whose content is doubtful. `ignored` is the number of events that occupy no night. `is_complete` is
    False if events may be missing. `reaches_horizon` is True if a repeating event continues beyond the horizon, the
    last imported date.
    """

    entries: list[Entry] = field(default_factory=list)
    warnings: list[EventProblem] = field(default_factory=list)
    ignored: int = 0
    is_complete: bool = True
    reaches_horizon: bool = False


def parse_calendar(
    content: CalendarContent, *, zone: ZoneInfo, today: date, max_events: int = MAX_EVENTS
) -> ParsedCalendar:
    """Return the bookings, cancellations and closures of the calendar.

    Times are converted to dates in `zone`. A repeating event is replaced with its occurrences from `today` to
    `HORIZON_DAYS` days later. Raises InvalidFile, for example for more than `max_events` events.
    """
    # The functions of the parser import `icalendar` when they are called, because the import takes 0.1 seconds.
    # Processes that read no calendars should not spend time on importing `icalendar`.
    check_number_of_events(content, limit=max_events)
    time_zones = read_time_zones(content.time_zones)
    events = [read_event(lines, zone=zone, time_zones=time_zones) for lines in content.events]
    parsed = ParsedCalendar(is_complete=content.is_complete)
    expansion = Expansion(zone=zone, today=today, time_zones=time_zones)
    _Interpreter(parsed, events, expansion, today=today).run()
    parsed.reaches_horizon = expansion.reaches_horizon
    return parsed


class _Interpreter:
    """A converter that turns the events of one calendar into bookings, cancellations and closures.

    The converter adds its results to `parsed`.
    """

    def __init__(
        self, parsed: ParsedCalendar, events: Sequence[Event], expansion: Expansion, *, today: date
    ) -> None:
        self._parsed = parsed
        self._events = events
        self._expansion = expansion
        self._horizon = today + timedelta(days=HORIZON_DAYS)
        versions: dict[str, list[Event]] = defaultdict(list)
        self._replaced: dict[str, set[date]] = defaultdict(set)
        for event in events:
            if event.replaced_day is not None:
                self._replaced[event.uid].add(event.replaced_day)
            elif event.uid and event.span and event.takes_nights:
                versions[event.uid].append(event)
        self._newest = {uid: _newest_versions(events_of_uid) for uid, events_of_uid in versions.items()}
        spans = [event.span for event in events if event.span and event.takes_nights]
        self._arrivals = sorted(arrival for arrival, _departure in spans)
        self._departures = sorted(departure for _arrival, departure in spans)

    def run(self) -> None:
        for event in self._events:
            if not event.takes_nights:
                self._parsed.ignored += 1
            elif event.is_cancelled and (event.problem or event.is_repeating):
                self._parsed.entries.append(Cancellation(event.uid))
            elif event.problem:
                self._reject(event, event.problem, self._uncertain_nights(event))
            elif self._is_current_version(event):
                self._interpret(event)

    def _interpret(self, event: Event) -> None:
        assert event.span is not None  # noqa: S101 - an event without a problem has dates
        if event.is_repeating:
            self._expand(event)
        elif event.replaced_day is not None:
            if event.is_cancelled:
                self._parsed.ignored += 1
            else:
                self._close(event, (event.span,))
        elif event.is_cancelled:
            self._parsed.entries.append(
                Cancellation(event.uid, None if self._has_own_uid(event) else event.span)
            )
        elif _CLOSURE.search(event.summary):
            self._parsed.entries.append(Closure(event.uid, (event.span,)))
        elif (event.span[1] - event.span[0]).days > MAX_NIGHTS:
            self._reject(event, TranslatableMessage(_("A stay can have at most 730 nights.")), (event.span,))
        else:
            self._parsed.entries.append(self._booking(event, event.span))

    def _booking(self, event: Event, span: Span) -> Booking:
        guest = _GUEST.match(event.summary)
        has_own_uid = self._has_own_uid(event)
        if event.has_invalid_email:
            detail = TranslatableMessage(
                _("The guest's e-mail address is not valid, so the address was not imported.")
            )
            self._warn(event, detail)
        return Booking(
            uid=event.uid if has_own_uid else dates_uid(event.uid, span),
            arrival=span[0],
            departure=span[1],
            guest_name=guest["guest"] if guest else event.summary,
            guest_email=event.guest_email,
            is_inquiry=event.is_tentative,
            is_matched_by_dates=not has_own_uid,
        )

    def _is_current_version(self, event: Event) -> bool:
        """Return whether the event must be imported.

        If several events have the same UID and the same nights, only the newest version is imported. Add a warning to
        the report if the event is not imported, or if another event with the same UID has other nights.
        """
        if not event.uid or event.replaced_day is not None or event.span is None:
            return True
        newest = self._newest[event.uid]
        imported = newest.get(event.span)
        if event is imported:
            if len(newest) > 1:
                detail = _("Events on other dates have the same UID. Each event was imported separately.")
                self._warn(event, TranslatableMessage(detail))
            return True
        is_repeated = imported is not None and imported.sequence == event.sequence
        detail = (
            _("The calendar contains this event more than once. The event was imported only once.")
            if is_repeated
            else _("The calendar contains a newer version of this event. The newer version was imported.")
        )
        self._warn(event, TranslatableMessage(detail))
        return False

    def _has_own_uid(self, event: Event) -> bool:
        """Return whether no event with other dates has the same UID as this event."""
        return len(self._newest.get(event.uid, ())) == 1

    def _expand(self, event: Event) -> None:
        assert event.span is not None and event.start is not None and event.end is not None  # noqa: S101, PT018
        try:
            nights = self._expansion.nights(
                event.properties, start=event.start, end=event.end, replaced=self._replaced[event.uid]
            )
        except (ValueError, TypeError, OverflowError) as error:
            reason = error.args[0] if error.args else ""
            if not isinstance(reason, TranslatableMessage):
                reason = TranslatableMessage(_("The rule of the repeating event can't be read."))
            self._reject(event, reason, ((event.span[0], max(self._horizon, event.span[1])),))
        else:
            self._close(event, nights)

    def _close(self, event: Event, nights: tuple[Span, ...]) -> None:
        """Close the nights of a repeating event. Report an error if the event's title is not the title of a closure."""
        if _CLOSURE.search(event.summary):
            self._parsed.entries.append(Closure(event.uid, nights))
        else:
            detail = TranslatableMessage(
                _("Repeating events are not imported as reservations. Their nights are closed.")
            )
            self._reject(event, detail, nights)

    def _uncertain_nights(self, event: Event) -> tuple[Span, ...]:
        """Return the nights that an event may occupy if one of its dates can't be read.

        These are at most MAX_UNCERTAIN_NIGHTS nights between the valid date and the nearest other event.
        """
        arrival, departure = event.arrival, event.departure
        if arrival is None and departure is None:
            return ()
        if departure is None:
            assert arrival is not None  # noqa: S101 - checked above
            departure = arrival + timedelta(days=MAX_UNCERTAIN_NIGHTS)
            following = bisect_right(self._arrivals, arrival)
            departure = min([departure, *self._arrivals[following : following + 1]])
        if arrival is None:
            arrival = departure - timedelta(days=MAX_UNCERTAIN_NIGHTS)
            preceding = bisect_left(self._departures, departure)
            arrival = max([arrival, *self._departures[max(preceding - 1, 0) : preceding]])
        return ((arrival, max(departure, arrival + _ONE_DAY)),)

    def _reject(self, event: Event, detail: str, nights: tuple[Span, ...]) -> None:
        self._parsed.entries.append(EventProblem(event.uid, detail, nights))

    def _warn(self, event: Event, detail: str) -> None:
        self._parsed.warnings.append(EventProblem(event.uid, detail, (event.span,) if event.span else ()))


def _newest_versions(events: Sequence[Event]) -> dict[Span, Event]:
    """Return the newest versions of an event (those with the highest SEQUENCE), as a dict from nights to event.

    If several versions have the same nights, a version that is not cancelled is used, so that the room is not sold
    twice.
    """
    sequence = max(event.sequence for event in events)
    newest: dict[Span, Event] = {}
    for event in events:
        if event.sequence == sequence and event.span is not None:
            known = newest.get(event.span)
            if known is None or (known.is_cancelled and not event.is_cancelled):
                newest[event.span] = event
    return newest

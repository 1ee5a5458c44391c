"""The report of a calendar import, for the REST API, the admin and the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.reservations.calendars.ical_parser import EventProblem, ParsedCalendar

#: The names of the report fields that are lists of events.
PROBLEM_LISTS = ("rejected", "without_room", "warnings")


@dataclass(slots=True)
class CalendarReport:
    """The number of imported calendar events by result, and the events that staff should check.

    `events` is the total of created, updated, cancelled, unchanged, closures, ignored and rejected. The fields
    `without_room`, `removed` and `closed_nights` are set for linked calendars only.
    """

    events: int = 0
    created: int = 0
    updated: int = 0
    cancelled: int = 0
    unchanged: int = 0
    closures: int = 0
    #: The number of events that occupy no night: events marked as free, and events that end on the day they start.
    ignored: int = 0
    rejected: list[EventProblem] = field(default_factory=list)
    #: Bookings that were imported without a stay, because the room was not available.
    without_room: list[EventProblem] = field(default_factory=list)
    #: Imported events whose meaning is doubtful, such as events with a repeated UID.
    warnings: list[EventProblem] = field(default_factory=list)
    removed: int = 0  # The bookings that were cancelled because the calendar no longer lists them.
    closed_nights: int = 0

    @classmethod
    def of(cls, parsed: ParsedCalendar) -> CalendarReport:
        """Return the report of a calendar before its events are imported, with the warnings of the parser."""
        report = cls(
            events=len(parsed.entries) + parsed.ignored,
            ignored=parsed.ignored,
            warnings=list(parsed.warnings),
        )
        if not parsed.is_complete:
            text = _(
                "The calendar is incomplete: END:VCALENDAR is missing. "
                "Bookings that are not in the calendar were not cancelled."
            )
            report.warnings.append(EventProblem("", TranslatableMessage(text)))
        return report

    def as_json(self, *, limit: int | None = None, detail: Callable[[str], Any] = str) -> dict[str, Any]:
        """Return the report as a JSON-serializable dict. Each list contains at most `limit` events.

        Each event has a message that says why it was not imported. The function `detail` converts the message to JSON.
        """
        lists = {
            name: [_problem_as_json(problem, detail=detail) for problem in getattr(self, name)[:limit]]
            for name in PROBLEM_LISTS
        }
        return asdict(self) | lists


def _problem_as_json(problem: EventProblem, *, detail: Callable[[str], Any]) -> dict[str, Any]:
    nights = [
        {"check_in": check_in.isoformat(), "check_out": check_out.isoformat()}
        for check_in, check_out in problem.nights
    ]
    return {"uid": problem.uid[:200], "detail": detail(problem.detail), "nights": nights}

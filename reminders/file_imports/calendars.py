"""The import of uploaded calendars (iCalendar) with more events than a request imports."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, BinaryIO

from django.db import transaction

from reminders.file_imports.kinds import FileContent, ImportField, Progress, Work
from reminders.file_imports.problems import Problem
from reminders.local_time import hotel_time_zone, today
from reminders.models import FileImport
from reminders.reservations.calendars import uids
from reminders.reservations.calendars.content import (
    MAX_EVENTS_IN_FILE,
    check_number_of_events,
    read_calendar,
)
from reminders.reservations.calendars.event_import import EventImporter, ImportResult
from reminders.reservations.calendars.ical_parser import EventProblem, ParsedCalendar, parse_calendar
from reminders.reservations.calendars.matching import CalendarSource
from reminders.reservations.calendars.report import CalendarReport

#: The number of events in a transaction. If a worker stops, another worker continues after the last batch.
BATCH_SIZE = 25
_COUNTS = ("created", "updated", "cancelled", "unchanged", "closures", "ignored")


class CalendarFiles:
    """The implementation of the interface `Kind` for iCalendar files. A row is an event or a repetition of an event."""

    fields: Sequence[ImportField] = ()

    def inspect(self, stream: BinaryIO, uploaded: FileImport) -> FileContent:
        content = read_calendar(stream.read())
        check_number_of_events(content, limit=MAX_EVENTS_IN_FILE)
        # The first day of repeating events. A worker that continues the import after midnight uses the same day.
        uploaded.settings = {"today": today().isoformat()}
        return FileContent(format="iCalendar", row_count=len(content.events), columns=())

    def process(self, stream: BinaryIO, claimed: FileImport, work: Work) -> Progress:
        parsed = parse_calendar(
            read_calendar(stream.read()),
            zone=hotel_time_zone(),
            today=datetime.date.fromisoformat(claimed.settings["today"]),
            max_events=MAX_EVENTS_IN_FILE,
        )
        report = CalendarReport.of(parsed)
        if claimed.finished_rows:
            # Another worker began this import, and has already stored the warnings of the parser.
            report.warnings.clear()
        for name in _COUNTS:
            setattr(report, name, claimed.counts.get(name, getattr(report, name)))
        return _Import(parsed, report, claimed.counts).run(work, first=claimed.finished_rows)


class _Import:
    def __init__(self, parsed: ParsedCalendar, report: CalendarReport, counts: dict[str, Any]) -> None:
        self._entries = parsed.entries
        self._report = report
        self._importer = EventImporter(CalendarSource(uids.FILE_DIGEST), parsed, ImportResult(report))
        self._rejected = counts.get("rejected", 0)
        self._warnings = counts.get("warnings", 0)

    def run(self, work: Work, *, first: int) -> Progress:
        """Import the entries, beginning with the index `first`. Return the progress that is not stored yet."""
        total = len(self._entries)
        for start in range(first, total, BATCH_SIZE):
            work.check_time()
            end = min(start + BATCH_SIZE, total)
            with transaction.atomic():
                problems: list[Problem] = []
                for number, entry in enumerate(self._entries[start:end], start=start + 1):
                    self._importer.import_entry(entry)
                    problems += self._new_problems(number)
                work.save(self._progress(end, problems))
        return self._progress(total, self._new_problems(total))

    def _new_problems(self, number: int) -> list[Problem]:
        """Return the problems that were found since the last call, and count them."""
        rejected, warnings = self._report.rejected, self._report.warnings
        found = [_problem(number, problem, is_rejected=True) for problem in rejected]
        found += [_problem(number, problem, is_rejected=False) for problem in warnings]
        self._rejected += len(rejected)
        self._warnings += len(warnings)
        rejected.clear()
        warnings.clear()
        return found

    def _progress(self, finished: int, problems: list[Problem]) -> Progress:
        counts = {name: getattr(self._report, name) for name in _COUNTS}
        counts |= {"rejected": self._rejected, "warnings": self._warnings}
        return Progress(finished, len(self._entries), counts, problems)


def _problem(number: int, problem: EventProblem, *, is_rejected: bool) -> Problem:
    return Problem(number, problem.uid[:200], problem.detail, is_rejected=is_rejected)

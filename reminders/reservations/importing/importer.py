"""Imports a file: looks through it once for the rooms that its stays need, and once to store it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db import IntegrityError, reset_queries
from django.utils import timezone

from audit.services import record
from hotelagent.demo import shifting
from locks.services import ensure_rooms
from reminders import events
from reminders.errors import InvalidFile
from reminders.planning.guest_history import rules_filter_guests
from reminders.planning.replan import replan_all
from reminders.planning.schedule import hotel_time_zone, local_date
from reminders.reservations.importing import columns, storing
from reminders.reservations.importing.parsing import Booking, Parser, Rejected, flaw
from reminders.reservations.importing.reading import Source
from reminders.reservations.importing.repeats import Repeats
from reminders.reservations.importing.report import Report
from reminders.reservations.importing.rooming import Rooming
from reminders.reservations.importing.storing import Item


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever imports has asked for. `days` are before and after today; None takes every arrival."""

    hotel_value: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    shift_to_today: bool = False
    days: tuple[int, int] | None = None
    dry_run: bool = False


@dataclass(slots=True)
class _Survey:
    """What the first look finds."""

    rows: int = 0
    rooming: Rooming = field(default_factory=Rooming)
    repeats: Repeats = field(default_factory=Repeats)
    first: date | None = None
    last: date | None = None
    most_adults: dict[str, int] = field(default_factory=dict)
    longest_known: dict[date, tuple[date, str]] = field(default_factory=dict)


class Importer:
    """One import into the hotel that is set. `advance` is called with rows done and rows in all."""

    def __init__(
        self,
        source: Source,
        wishes: Wishes,
        *,
        rejected: Callable[[Rejected], None],
        advance: Callable[[int, int], None],
    ) -> None:
        self.source, self.wishes = source, wishes
        self.report = Report()
        self._rejected, self._advance = rejected, advance
        self._columns = columns.find(source.header, given=wishes.mapping)
        self._parser = Parser(self._columns)
        self._today = local_date(timezone.now(), zone=hotel_time_zone())
        self._total = 0
        self._rooms_before = 0

    def run(self) -> Report:
        """Raises InvalidFile. Committed chunk by chunk; what the file does not hold is left as it is."""
        started = time.monotonic()
        survey = self._look()
        self._total = survey.rows
        rooms = self._rooms(survey)
        shift = timedelta(0)
        if self.wishes.shift_to_today and survey.first and survey.last:
            shift = shifting.to_today(first=survey.first, last=survey.last, today=self._today)
        self.report.shifted_days = shift.days
        refused = {number for _day, number in survey.longest_known.values()}
        chunk: list[Item] = []
        for booking, stay in self._bookings(survey.repeats):
            room = None
            if stay is not None:
                room = rooms[booking.given_type][survey.rooming.room(stay)] if rooms else 0
            booking.shift(shift)
            if not self._is_wanted(booking):
                self.report.outside += 1
                continue
            chunk.append(Item(booking, room, is_refused=booking.number in refused))
            if len(chunk) >= storing.CHUNK:
                self._store(chunk)
                chunk = []
        self._store(chunk)
        self._finish(time.monotonic() - started)
        return self.report

    def _look(self) -> _Survey:
        survey = _Survey()
        hotels = set()
        for line, row in self.source.rows():
            if self.wishes.hotel_value:
                if self._parser.hotel(row) != self.wishes.hotel_value:
                    continue
            elif "hotel" in self._columns:
                hotels.add(self._parser.hotel(row))
                if len(hotels) > 1:
                    raise InvalidFile(
                        f"The file holds several hotels: {', '.join(sorted(hotels))} ... "
                        "Say whose bookings these are: --only-hotel-column 'Name in the file'."
                    )
            survey.rows += 1
            booking = self._parser.parse(line, row)
            if isinstance(booking, Booking) and flaw(booking) is None:
                _note(survey, booking)
        survey.rooming.solve()
        return survey

    def _rooms(self, survey: _Survey) -> dict[str, list[int]]:
        needed = survey.rooming.needed
        self.report.rooms = sum(needed.values())
        if self.wishes.dry_run:
            return {}
        self._rooms_before = _room_count()
        return ensure_rooms(needed, capacities=survey.most_adults)

    def _bookings(self, repeats: Repeats) -> Iterator[tuple[Booking, int | None]]:
        """Each sound booking, with its number among the stays if it is one; the others are reported."""
        stays = 0
        for line, row in self.source.rows():
            if self.wishes.hotel_value and self._parser.hotel(row) != self.wishes.hotel_value:
                continue
            self.report.rows += 1
            if self.report.rows % 500 == 0:
                self._advance(self.report.rows, self._total)
            booking = self._parser.parse(line, row)
            problem = booking if isinstance(booking, Rejected) else flaw(booking)
            if isinstance(booking, Booking) and problem is None:
                stay = stays if booking.takes_room else None
                stays += booking.takes_room
                problem = _repeated(booking, repeats)
                if problem is None:
                    yield booking, stay
            if problem is not None:
                self.report.rejected[problem.reason] += 1
                self._rejected(problem)

    def _is_wanted(self, booking: Booking) -> bool:
        """Within the days asked for, and then only what the hotel would know of by today."""
        if self.wishes.days is None:
            return True
        before, after = (timedelta(days=days) for days in self.wishes.days)
        if not self._today - before <= booking.arrival <= self._today + after:
            return False
        return booking.booked_on is None or booking.booked_on <= self._today

    def _store(self, chunk: list[Item]) -> None:
        if not chunk:
            return
        report = self.report
        if self.wishes.dry_run:
            there = storing.known([item.booking.number for item in chunk])
            updated = len(storing.differing(chunk, today=self._today)) if there else 0
            report.updated += updated
            report.unchanged += len(there) - updated
            report.stored += len(chunk) - len(there)
            return
        try:
            stored = storing.store(chunk, today=self._today, now=timezone.now())
        except IntegrityError:  # a client stored one of them between our look and our insert: now it is known
            stored = storing.store(chunk, today=self._today, now=timezone.now())
        report.stored += len(stored.reservations)
        report.updated += stored.updated
        report.unchanged += stored.unchanged
        for arranged in stored.arranged:
            report.stays += len(arranged.placed)
            report.elsewhere += arranged.elsewhere
            report.stays_moved += arranged.moved
            report.stays_cancelled += arranged.ended
        report.reminders += stored.planned
        report.statuses.update(reservation.status for reservation in stored.reservations)
        arrivals = [reservation.arrival for reservation in stored.reservations]
        report.first_arrival = min(filter(None, [report.first_arrival, *arrivals]), default=None)
        report.last_arrival = max(filter(None, [report.last_arrival, *arrivals]), default=None)
        reset_queries()  # DEBUG keeps every statement, and these are long

    def _finish(self, seconds: float) -> None:
        self.report.seconds = seconds
        self._advance(self.report.rows, self._total)
        if (self.report.stored or self.report.updated) and not self.wishes.dry_run:
            if rules_filter_guests():  # an earlier stay may have come after a later one
                self.report.reminders += replan_all()
            self.report.rooms_made = _room_count() - self._rooms_before
            record(
                events.RESERVATIONS_IMPORTED,
                file=self.source.path.name,
                rows=self.report.rows,
                stored=self.report.stored,
                updated=self.report.updated,
                unchanged=self.report.unchanged,
                rejected=self.report.rejected.total(),
                stays=self.report.stays,
                rooms=self.report.rooms_made,
                reminders=self.report.reminders.scheduled,
            )


def _note(survey: _Survey, booking: Booking) -> None:
    survey.first = min(survey.first or booking.arrival, booking.arrival)
    survey.last = max(survey.last or booking.arrival, booking.arrival)
    survey.repeats.note(booking.number)
    if not booking.takes_room:
        return
    survey.rooming.add(room_type=booking.given_type, arrival=booking.arrival, departure=booking.departure)
    # Of each day's arrivals the one booked longest ago has the address that is refused: whatever day it is, and
    # however few days are asked for, each hotel has one to show.
    known = (booking.booked_on or booking.arrival, booking.number)
    survey.longest_known[booking.arrival] = min(survey.longest_known.get(booking.arrival, known), known)


def _repeated(booking: Booking, repeats: Repeats) -> Rejected | None:
    first = repeats.first_line(booking.number, line=booking.line)
    if first == booking.line:
        return None
    return Rejected(booking.line, booking.number, "number repeated", f"line {first} has it")


def _room_count() -> int:
    return sum(len(ids) for ids in ensure_rooms({}).values())

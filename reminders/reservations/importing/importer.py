"""The import of a CSV file of bookings into the current hotel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from django.db import reset_queries

from audit.services import record
from locks.models import Room
from locks.services import ensure_rooms
from reminders import events
from reminders.errors import InvalidFile
from reminders.planning.guest_history import rules_filter_guests
from reminders.planning.replan import replan_all
from reminders.reservations.importing import storing
from reminders.reservations.importing.booking import Booking, RejectedRow
from reminders.reservations.importing.bookings_file import BookingsFile
from reminders.reservations.importing.columns import map_columns
from reminders.reservations.importing.parsing import RowParser
from reminders.reservations.importing.report import ImportReport
from reminders.reservations.importing.survey import Survey, survey_rows

_PROGRESS_INTERVAL = 500  # rows


@dataclass(frozen=True, slots=True)
class ImportOptions:
    #: If set, only rows with this value in the hotel column are imported.
    property_name: str = ""
    #: Maps booking fields to column names, for columns whose names are not recognised.
    columns: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


class Importer:
    """The import of one CSV file. `on_progress` receives the number of finished rows and the number of all rows."""

    def __init__(
        self,
        file: BookingsFile,
        options: ImportOptions,
        *,
        on_rejected: Callable[[RejectedRow], None],
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._file, self._options = file, options
        self._on_rejected, self._on_progress = on_rejected, on_progress
        self._columns = map_columns(file.header, overrides=options.columns)
        self._parser = RowParser(self._columns)
        self._report = ImportReport()

    def run(self) -> ImportReport:
        """Import the file and return what has changed. Each batch is committed separately.

        Reservations that are missing from the file are not changed. Raises InvalidFile.
        """
        started = time.monotonic()
        survey = survey_rows(self._rows(), parser=self._parser)
        self._report.rooms = sum(survey.rooms.required_rooms.values())
        rooms_before = Room.objects.count()
        batch: list[Booking] = []
        for booking in self._bookings(survey):
            batch.append(booking)
            if len(batch) >= storing.BATCH_SIZE:
                self._store(batch)
                batch = []
        self._store(batch)
        self._on_progress(self._report.rows, survey.row_count)
        if self._report.has_changes and not self._options.dry_run:
            if rules_filter_guests():
                # Plan all reminders again, because a guest's earlier stay can come after a later one in the file.
                self._report.reminders += replan_all()
            self._report.rooms_created = Room.objects.count() - rooms_before
            self._record_event()
        self._report.seconds = time.monotonic() - started
        return self._report

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows of the chosen hotel. Raises InvalidFile if the file has several hotels and none was chosen."""
        hotels = set()
        for line, row in self._file.rows():
            hotel = self._parser.hotel(row)
            if self._options.property_name:
                if hotel != self._options.property_name:
                    continue
            elif hotel not in hotels:
                hotels.add(hotel)
                if len(hotels) > 1:
                    raise InvalidFile(
                        f"The file has bookings of several hotels: {', '.join(sorted(hotels))}, ... "
                        "Choose one with --property NAME."
                    )
            yield line, row

    def _bookings(self, survey: Survey) -> Iterator[Booking]:
        """Yield the bookings that can be stored, with their rooms. Report each rejected row to `on_rejected`."""
        rooms = {} if self._options.dry_run else ensure_rooms(survey.rooms.required_rooms)
        stay_positions = count()
        for line, row in self._rows():
            self._report.rows += 1
            if self._report.rows % _PROGRESS_INTERVAL == 0:
                self._on_progress(self._report.rows, survey.row_count)
            booking = self._parser.parse(line, row)
            if isinstance(booking, Booking):
                if booking.takes_room:
                    room_index = survey.rooms.room_index(next(stay_positions))
                    booking.room_id = rooms[booking.assigned_room_type][room_index] if rooms else None
                first_line = survey.duplicates.first_line(booking.number, line=line)
                if first_line == line:
                    yield booking
                    continue
                booking = RejectedRow(line, booking.number, "duplicate number", f"first in line {first_line}")
            self._report.rejected[booking.reason] += 1
            self._on_rejected(booking)

    def _store(self, batch: list[Booking]) -> None:
        if batch:
            result = storing.compare_batch(batch) if self._options.dry_run else storing.store_batch(batch)
            self._report.add(result)
            reset_queries()  # with DEBUG, Django would keep all statements in memory

    def _record_event(self) -> None:
        report = self._report
        record(
            events.RESERVATIONS_IMPORTED,
            file=self._file.path.name,
            rows=report.rows,
            created=report.created,
            updated=report.updated,
            unchanged=report.unchanged,
            rejected=report.rejected.total(),
            stays=report.stays,
            rooms=report.rooms_created,
            reminders=report.reminders.scheduled,
        )

"""The import of a file of bookings into the current hotel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count

from django.db import reset_queries, transaction
from django.utils.translation import gettext_noop as _

from audit.services import record
from hotelagent.core.messages import TranslatableMessage
from locks.models import Room
from locks.services import ensure_rooms
from reminders import events
from reminders.errors import FileChoice, InvalidFile
from reminders.planning.guest_history import rules_filter_guests
from reminders.planning.replan import replan_all
from reminders.reservations.importing import storing
from reminders.reservations.importing.booking import Booking
from reminders.reservations.importing.columns.mapping import map_columns
from reminders.reservations.importing.files import BookingsFile
from reminders.reservations.importing.files.bookings_file import is_total
from reminders.reservations.importing.inspection import ImportOptions, resolve_profile
from reminders.reservations.importing.parsing import RowParser
from reminders.reservations.importing.report import ImportReport
from reminders.reservations.importing.survey import Survey, survey_columns, survey_stays
from reminders.reservations.importing.values.dates import decide_orders
from reminders.reservations.importing.values.errors import Reason, RowError
from reminders.reservations.importing.values.statuses import status_words

_PROGRESS_INTERVAL = 500  # rows
_MAX_WORDS = 100


def _ignore(*_arguments: object) -> None:
    pass


class Importer:
    """The import of one file.

    `on_error` receives each row that is not imported and each cell that is ignored. `on_progress` receives the number
    of finished rows and the number of all rows. `on_batch` receives the report, inside the transaction of each batch.
    """

    def __init__(
        self,
        file: BookingsFile,
        options: ImportOptions,
        *,
        on_error: Callable[[RowError], None] = _ignore,
        on_progress: Callable[[int, int], None] = _ignore,
        on_batch: Callable[[ImportReport], None] = _ignore,
    ) -> None:
        self._file, self._options = file, options
        self._on_error, self._on_progress, self._on_batch = on_error, on_progress, on_batch
        self.profile = resolve_profile(file, options)
        self._statuses = status_words(self.profile.statuses if self.profile else {}, options.statuses)
        self._columns = map_columns(file.header, overrides=options.columns, profile=self.profile)
        self._has_room_columns = not self._columns.keys().isdisjoint({"rooms", "room"})
        self._parser = RowParser(self._columns, header=file.header, statuses=self._statuses)

    def run(self, *, resumed: ImportReport | None = None) -> ImportReport:
        """Import the file and return the counts of changes. Each batch is committed separately.

        To continue an interrupted import of the same file with the same options, set `resumed` to the last report that
        `on_batch` received. The rows that this report counts are skipped. Reservations that are missing from the file
        are not changed. Raises InvalidFile.
        """
        started = time.monotonic()
        self._report = resumed or ImportReport()
        survey = self._survey()
        self._report.rooms = sum(survey.rooms.required_rooms.values())
        rooms_before = Room.objects.count()
        batch: list[Booking] = []
        for booking in self._bookings(survey, skip=self._report.stored_rows):
            batch.append(booking)
            if len(batch) >= storing.BATCH_SIZE:
                self._store(batch)
                batch = []
        self._store(batch)
        self._on_progress(self._report.rows, survey.row_count)
        if self._report.has_changes and not self._options.dry_run:
            if rules_filter_guests():
                # If a guest's later stay comes first in the file, its reminders were planned as if the guest were new.
                # Now that all stays are stored, plan all reminders again to correct the reminders of returning guests.
                self._report.reminders += replan_all()
            self._report.rooms_created += Room.objects.count() - rooms_before
            self._record_event()
        self._report.seconds += time.monotonic() - started
        return self._report

    def _survey(self) -> Survey:
        survey = survey_columns(
            self._rows, header=self._file.header, columns=self._columns, parser=self._parser
        )
        date_format = self._options.date_format or (self.profile.date_format if self.profile else "")
        self._report.date_orders = {
            field: order
            for field, order in decide_orders(survey.dates, date_format=date_format).items()
            if order
        }
        self._parser = RowParser(
            self._columns,
            header=self._file.header,
            statuses=self._statuses,
            date_orders=self._report.date_orders,
        )
        survey_stays(survey, self._rows, parser=self._parser)
        return survey

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows of the chosen hotel. Raises InvalidFile if the file has several hotels and none was chosen."""
        hotels = set()
        for line, row in self._file.rows():
            if not self._parser.has_dates(row) and is_total(row):
                continue
            hotel = self._parser.hotel(row)
            if self._options.property_name:
                if hotel != self._options.property_name:
                    continue
            elif hotel not in hotels:
                hotels.add(hotel)
                if len(hotels) > 1:
                    message = _("The file has bookings of several hotels: {hotels}, ...")
                    raise InvalidFile(
                        TranslatableMessage(message, hotels=", ".join(sorted(hotels))),
                        choice=FileChoice.HOTEL,
                    )
            yield line, row

    def _bookings(self, survey: Survey, *, skip: int) -> Iterator[Booking]:
        """Yield the bookings that can be stored, with their rooms. Pass each error to `on_error`.

        The first `skip` rows are skipped, because an interrupted import has stored them.
        """
        rooms = {} if self._options.dry_run else ensure_rooms(survey.rooms.required_rooms)
        positions = count()
        for row_number, (line, row) in enumerate(self._rows(), start=1):
            parsed = self._parser.parse(line, row)
            booking = (
                self._with_rooms(parsed, survey, positions, rooms) if isinstance(parsed, Booking) else parsed
            )
            if row_number <= skip:
                continue
            self._report.rows = row_number
            if row_number % _PROGRESS_INTERVAL == 0:
                self._on_progress(row_number, survey.row_count)
            if isinstance(booking, Booking):
                for error in booking.errors:
                    self._report_left_out(error)
                yield booking
            elif booking is None:
                self._report.joined += 1
            else:
                self._report.rejected[booking.reason] += 1
                self._on_error(booking)

    def _report_left_out(self, error: RowError) -> None:
        words = self._report.unknown_statuses
        self._report.left_out[error.reason] += 1
        if error.reason == Reason.UNKNOWN_STATUS and (error.value in words or len(words) < _MAX_WORDS):
            words[error.value] += 1
        self._on_error(error)

    def _with_rooms(
        self, booking: Booking, survey: Survey, positions: Iterator[int], rooms: dict[str, list[int]]
    ) -> Booking | RowError | None:
        """Return the booking with its rooms. If several rows have its number, the first row gets the rooms of all rows.

        For each further row, return None, or a RowError if the dates differ from the dates in the first row.
        """
        booking.has_all_rooms = self._has_room_columns or bool(survey.joined)
        joined = survey.joined.get(booking.number)
        if joined is None:
            used = [next(positions) for _type in booking.room_types] if booking.takes_room else []
        elif booking.line == joined.first_line:
            booking.status, used = joined.status, joined.positions
            if joined.room_types:
                booking.room_types = tuple(joined.room_types)
                booking.assigned_room_type = joined.room_types[0]
        elif (booking.arrival, booking.departure) == (joined.arrival, joined.departure):
            return None
        else:
            detail = TranslatableMessage(
                _("The first row with this number is in line {line}."), line=joined.first_line
            )
            return RowError(booking.line, booking.number, "", "", Reason.DUPLICATE_NUMBER, detail)
        if rooms:
            booking.room_ids = tuple(
                rooms[room_type][survey.rooms.room_index(position)]
                for room_type, position in zip(booking.room_types, used, strict=False)
            )
        return booking

    def _store(self, batch: list[Booking]) -> None:
        if not batch:
            return
        if self._options.dry_run:
            self._report.add(storing.compare_batch(batch))
            self._report.stored_rows = self._report.rows
            self._on_batch(self._report)
        else:
            # `on_batch` may write to the database. Its changes are committed together with the batch of bookings.
            with transaction.atomic():
                self._report.add(storing.store_batch(batch))
                self._report.stored_rows = self._report.rows
                self._on_batch(self._report)
        reset_queries()  # With DEBUG=True, Django keeps all SQL statements in memory until this call.

    def _record_event(self) -> None:
        report = self._report
        record(
            events.RESERVATIONS_IMPORTED,
            file=self._file.name,
            rows=report.rows,
            created=report.created,
            updated=report.updated,
            unchanged=report.unchanged,
            rejected=report.rejected.total(),
            stays=report.stays,
            rooms=report.rooms_created,
            reminders=report.reminders.scheduled,
        )

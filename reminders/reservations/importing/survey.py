"""The first pass over an imported file. It counts rows, assigns rooms and finds repeated booking numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reminders.reservations.importing.booking import Booking
from reminders.reservations.importing.duplicates import DuplicateNumbers
from reminders.reservations.importing.parsing import RowParser
from reminders.reservations.importing.room_assignment import RoomAssignment


@dataclass(slots=True)
class Survey:
    """The result of the first pass over a file. `row_count` includes rejected rows, which get no room."""

    row_count: int = 0
    rooms: RoomAssignment = field(default_factory=RoomAssignment)
    duplicates: DuplicateNumbers = field(default_factory=DuplicateNumbers)


def survey_rows(rows: Iterable[tuple[int, Sequence[str]]], *, parser: RowParser) -> Survey:
    """Read all rows. Return the row count, the room assignment and the repeated booking numbers."""
    survey = Survey()
    for line, row in rows:
        survey.row_count += 1
        booking = parser.parse(line, row)
        if not isinstance(booking, Booking):
            continue
        survey.duplicates.add(booking.number)
        if booking.takes_room:
            survey.rooms.add(
                room_type=booking.assigned_room_type, arrival=booking.arrival, departure=booking.departure
            )
    survey.duplicates.finish_first_pass()
    survey.rooms.solve()
    return survey

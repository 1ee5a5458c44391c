"""First pass over a file: what must be known about all rows before the first one is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reminders.reservations.importing.booking import Booking
from reminders.reservations.importing.duplicates import DuplicateNumbers
from reminders.reservations.importing.parsing import RowParser
from reminders.reservations.importing.room_assignment import RoomAssignment


@dataclass(slots=True)
class Survey:
    """Result of the first pass. Rejected rows count as rows, but take no room."""

    row_count: int = 0
    rooms: RoomAssignment = field(default_factory=RoomAssignment)
    duplicates: DuplicateNumbers = field(default_factory=DuplicateNumbers)


def survey_rows(rows: Iterable[tuple[int, Sequence[str]]], *, parser: RowParser) -> Survey:
    """Assign the rooms and find the repeated booking numbers."""
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

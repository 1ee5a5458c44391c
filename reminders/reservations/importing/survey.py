"""Functions that read a whole file of bookings before the file is imported.

The functions find the order of day and month in dates, find booking numbers that occur in several rows, and assign
rooms to the stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from reminders.reservations.importing.booking import Stay
from reminders.reservations.importing.duplicates import RepeatedNumbers
from reminders.reservations.importing.inspection import add_dates, date_columns
from reminders.reservations.importing.parsing import RowParser
from reminders.reservations.importing.room_assignment import RoomAssignment
from reminders.reservations.importing.values.dates import DateColumn

Rows = Callable[[], Iterator[tuple[int, list[str]]]]


@dataclass(slots=True)
class JoinedBooking:
    """A booking that consists of several rows with the same dates, one row for each room."""

    first_line: int
    arrival: date
    departure: date
    #: The status of the first row that is not cancelled, or `cancelled` if all rows of the booking are cancelled.
    status: str | None
    takes_room: bool = False
    room_types: list[str] = field(default_factory=list)
    #: For each room of the booking, the number of the stay that the method `RoomAssignment.add` returned.
    positions: list[int] = field(default_factory=list)
    room_names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Survey:
    """The results of reading the whole file before the import.

    `row_count` is the number of rows, including rejected rows.
    """

    row_count: int = 0
    dates: dict[str, DateColumn] = field(default_factory=dict)
    repeated: RepeatedNumbers = field(default_factory=RepeatedNumbers)
    rooms: RoomAssignment = field(default_factory=RoomAssignment)
    joined: dict[str, JoinedBooking] = field(default_factory=dict)


def survey_columns(
    rows: Rows, *, header: Sequence[str], columns: Mapping[str, tuple[int, ...]], parser: RowParser
) -> Survey:
    """Read all rows. Return a survey with the number of rows, the dates of each column, and the repeated numbers.

    The repeated numbers are booking numbers that occur in several rows.
    """
    survey = Survey(dates=date_columns(header, columns))
    for line, row in rows():
        survey.row_count += 1
        survey.repeated.add(parser.number(row))
        add_dates(survey.dates, columns, line, row)
    survey.repeated.finish_first_pass()
    return survey


def survey_stays(survey: Survey, rows: Rows, *, parser: RowParser) -> None:
    """Read all rows, combine the rows that belong to one booking, and assign rooms to the stays."""
    for line, row in rows():
        stay = parser.parse_stay(line, row)
        if stay is None:
            continue
        if stay.number in survey.repeated:
            _join(survey.joined, stay, line)
        elif stay.takes_room:
            _add_rooms(survey.rooms, stay.room_types, stay.arrival, stay.departure)
    for booking in survey.joined.values():
        if booking.takes_room:
            # The room types are sorted, because the next export may list the rows of the booking in a different order.
            booking.room_types.sort()
            booking.positions = _add_rooms(
                survey.rooms, booking.room_types, booking.arrival, booking.departure
            )
    survey.rooms.solve()


def _join(joined: dict[str, JoinedBooking], stay: Stay, line: int) -> None:
    booking = joined.get(stay.number)
    if booking is None:
        booking = joined[stay.number] = JoinedBooking(line, stay.arrival, stay.departure, stay.status)
    elif (booking.arrival, booking.departure) != (stay.arrival, stay.departure):
        return
    if not stay.takes_room:
        return
    if not booking.takes_room:
        booking.takes_room, booking.status = True, stay.status
    # In files with one row per guest, several rows of a booking name the same room, which is counted once.
    if stay.rooms and booking.room_names.issuperset(stay.rooms):
        return
    booking.room_names.update(stay.rooms)
    booking.room_types += stay.room_types


def _add_rooms(rooms: RoomAssignment, room_types: Sequence[str], arrival: date, departure: date) -> list[int]:
    return [rooms.add(room_type=room_type, arrival=arrival, departure=departure) for room_type in room_types]

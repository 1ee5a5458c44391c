"""Two years of bookings in the order in which they were made, and a plain model of the hotel's rooms.

The model represents a room as a set of occupied nights. A refusal is correct if every room of the type is occupied on
at least one of the requested nights.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby

from tests.bookings import FIRST_ARRIVAL, LAST_ARRIVAL, booking_rows

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Booking:
    number: str
    booked_on: date
    check_in: date
    check_out: date
    room_type: str
    cancelled_on: date | None

    @property
    def nights(self) -> range:
        return range(self.check_in.toordinal(), self.check_out.toordinal())


def load_bookings(hotel: str, *, moved_to: date, days: int | None = None) -> list[Booking]:
    """Return the bookings of a hotel in the order in which they were made.

    All dates are moved by the same number of days, so that the first arrivals are on `moved_to`. With `days`, only
    bookings that arrive within the first `days` days are returned.
    """
    last = LAST_ARRIVAL if days is None else FIRST_ARRIVAL + timedelta(days=days - 1)
    shift = moved_to - FIRST_ARRIVAL

    def moved(text: str) -> date:
        return date.fromisoformat(text) + shift

    bookings = [
        Booking(
            number=row["booking_id"],
            booked_on=moved(row["booked_on"]),
            check_in=moved(row["check_in"]),
            check_out=moved(row["check_out"]),
            room_type=row["reserved_room_type"],
            cancelled_on=moved(row["status_date"]) if row["status"] == "Canceled" else None,
        )
        for row in booking_rows(hotel, last=last)
    ]
    return sorted(bookings, key=lambda booking: (booking.booked_on, booking.number))


def room_counts(bookings: list[Booking]) -> dict[str, int]:
    """Return the number of rooms of each type that are occupied on the busiest night.

    Bookings that are cancelled later are not counted. So a hotel with these rooms must refuse some bookings.
    """
    occupied: dict[str, Counter[int]] = defaultdict(Counter)
    for booking in bookings:
        occupied[booking.room_type].update(booking.nights if booking.cancelled_on is None else ())
    return {room_type: max(nights.values(), default=1) for room_type, nights in occupied.items()}


def by_day(bookings: list[Booking]) -> Iterator[tuple[list[Booking], list[Booking]]]:
    """Yield two lists for each day: the bookings cancelled on that day, and the bookings made on that day.

    A cancellation on the day of the booking is listed on the next day.
    """
    cancelled: dict[date, list[Booking]] = defaultdict(list)
    for booking in bookings:
        if booking.cancelled_on is not None:
            cancelled[max(booking.cancelled_on, booking.booked_on + ONE_DAY)].append(booking)
    booked = {day: list(group) for day, group in groupby(bookings, key=lambda booking: booking.booked_on)}
    for day in sorted({*cancelled, *booked}):
        yield cancelled[day], booked.get(day, [])


@dataclass(slots=True)
class RoomModel:
    """The expected state of the rooms. The responses of the API must agree with this state.

    `types` maps room numbers to room types, and `occupied` maps room numbers to occupied nights.
    """

    types: dict[str, str]
    occupied: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def is_free(self, number: str, nights: range) -> bool:
        return self.occupied[number].isdisjoint(nights)

    def free_rooms(self, room_type: str, nights: range) -> list[str]:
        return [n for n, type_ in self.types.items() if type_ == room_type and self.is_free(n, nights)]

    def next_free_date(self, room_type: str, nights: range) -> date:
        """Return the first date after `nights.start` from which a room of the type is free for `len(nights)` nights."""
        start = nights.start + 1
        while not self.free_rooms(room_type, range(start, start + len(nights))):
            start += 1
        return date.fromordinal(start)

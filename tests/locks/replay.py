"""Two years of bookings in the order in which they were made, and a plain model of the hotel's rooms.

The model uses nothing of hotelagent: a room is a set of nights, and a refusal is right if each room of the type has one
of the nights taken.
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


def bookings(hotel: str, *, moved_to: date, days: int | None = None) -> list[Booking]:
    """Return the bookings of a hotel in the order in which they were made.

    All dates are moved by the same number of days, so that the first arrivals are on `moved_to`. With `days`, only the
    arrivals of the first days are returned.
    """
    last = LAST_ARRIVAL if days is None else FIRST_ARRIVAL + timedelta(days=days - 1)
    shift = moved_to - FIRST_ARRIVAL

    def day(text: str) -> date:
        return date.fromisoformat(text) + shift

    found = [
        Booking(
            number=row["booking_id"],
            booked_on=day(row["booked_on"]),
            check_in=day(row["check_in"]),
            check_out=day(row["check_out"]),
            room_type=row["reserved_room_type"],
            cancelled_on=day(row["status_date"]) if row["status"] == "Canceled" else None,
        )
        for row in booking_rows(hotel, last=last)
    ]
    return sorted(found, key=lambda booking: (booking.booked_on, booking.number))


def supply(wanted: list[Booking]) -> dict[str, int]:
    """Rooms by type: as many as the busiest night of those who came needed, and at least one.

    Those who cancelled later stood in their way when they booked: so some must be refused.
    """
    busy: dict[str, Counter[int]] = defaultdict(Counter)
    for booking in wanted:
        busy[booking.room_type].update(booking.nights if booking.cancelled_on is None else ())
    return {room_type: max(nights.values(), default=1) for room_type, nights in busy.items()}


def days(wanted: list[Booking]) -> Iterator[tuple[list[Booking], list[Booking]]]:
    """Day by day: who cancels, then who books. Who cancels on the day of booking stands among the next day's."""
    cancelling: dict[date, list[Booking]] = defaultdict(list)
    for booking in wanted:
        if booking.cancelled_on is not None:
            cancelling[max(booking.cancelled_on, booking.booked_on + ONE_DAY)].append(booking)
    booking_on = {day: list(group) for day, group in groupby(wanted, key=lambda booking: booking.booked_on)}
    for day in sorted({*cancelling, *booking_on}):
        yield cancelling[day], booking_on.get(day, [])


@dataclass(slots=True)
class House:
    """The rooms by number: which nights of each are taken."""

    types: dict[str, str]
    taken: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def is_free(self, number: str, nights: range) -> bool:
        return self.taken[number].isdisjoint(nights)

    def free(self, room_type: str, nights: range) -> list[str]:
        return [n for n, kind in self.types.items() if kind == room_type and self.is_free(n, nights)]

    def next_free(self, room_type: str, nights: range) -> date:
        """The first later arrival with a room of the type for as many nights."""
        start = nights.start + 1
        while not self.free(room_type, range(start, start + len(nights))):
            start += 1
        return date.fromordinal(start)

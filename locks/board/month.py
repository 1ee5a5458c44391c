"""The occupancy of a hotel in one month: for each day, the occupied rooms, the arrivals and the departures."""

from __future__ import annotations

import datetime
from calendar import Calendar
from collections import Counter
from dataclasses import dataclass

from locks.database import fetch_rows
from locks.models import Room

_DAY = datetime.timedelta(days=1)
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Day:
    """A day with the number of rooms that are occupied in its night. `rooms` counts all rooms of the hotel.

    Stays and active holds occupy a room, and both are counted in `occupied`. `closed` rooms are not for sale.
    """

    date: datetime.date
    rooms: int
    occupied: int
    held: int
    closed: int
    arrivals: int
    departures: int

    @property
    def share(self) -> int:
        """The occupied rooms as a percentage of the rooms that are for sale. 100 if all rooms are closed."""
        for_sale = self.rooms - self.closed
        return min(100, 100 * self.occupied // for_sale) if for_sale > 0 else 100

    @property
    def level(self) -> int:
        """The share in tenths, rounded to an integer from 0 to 10. It selects the colour of the day in the calendar."""
        return (self.share + 5) // 10


# Stays with the same nights are counted together, so the number of rows depends on the number of different nights.
_NIGHTS = """
SELECT status, lower(nights) AS check_in, upper(nights) AS check_out, count(*) AS number
FROM locks_allocation
WHERE nights && daterange(%(first)s::date - 1, %(last)s::date)
  AND locks_occupies_at(status, expires_at, clock_timestamp())
GROUP BY status, nights
"""


def read_month(*, month: datetime.date, first_weekday: int) -> list[list[Day]]:
    """Return the days of the month by week. `month` is a day of the month. Runs two queries.

    The first and the last week contain days of the neighbouring months. `first_weekday` is the first day of a week: 0
    for Sunday and 1 for Monday.
    """
    # In Python's `Calendar`, 0 is Monday, but in `first_weekday`, 0 is Sunday.
    weeks = Calendar((first_weekday - 1) % _WEEK).monthdatescalendar(month.year, month.month)
    first, last = weeks[0][0], weeks[-1][-1] + _DAY
    counts: dict[str, Counter[datetime.date]] = {
        name: Counter() for name in ("confirmed", "held", "closed", "arrivals", "departures")
    }
    for row in fetch_rows(_NIGHTS, {"first": first, "last": last}):
        number, check_in, check_out = row["number"], row["check_in"], row["check_out"]
        night = max(check_in, first)
        while night < min(check_out, last):
            counts[row["status"]][night] += number
            night += _DAY
        if row["status"] == "confirmed":
            counts["arrivals"][check_in] += number
            counts["departures"][check_out] += number
    rooms = Room.objects.count()
    return [
        [
            Day(
                date=day,
                rooms=rooms,
                occupied=counts["confirmed"][day] + counts["held"][day],
                held=counts["held"][day],
                closed=counts["closed"][day],
                arrivals=counts["arrivals"][day],
                departures=counts["departures"][day],
            )
            for day in week
        ]
        for week in weeks
    ]

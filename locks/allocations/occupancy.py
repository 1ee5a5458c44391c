"""Which nights of which rooms are taken, reckoned with in memory: a room is a number, a night one of its bits.

A room's two years are a hundred bytes, and whether it is free for some nights is one comparison: thousands of stays
find rooms without asking the database for each. Right for as long as the caller keeps the rooms locked.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

Span = tuple[datetime.date, datetime.date]
_ONE_DAY = datetime.timedelta(days=1)


class Occupancy:
    """Nights are given as `(check_in, check_out)`; none may lie before `first`."""

    def __init__(self, *, first: datetime.date) -> None:
        self._first = first.toordinal()
        self._taken: dict[int, int] = {}

    def begin_with(self, room: int, days: Iterable[tuple[int, int]]) -> None:
        """What stands in a room, in days counted from `first`."""
        taken = 0
        for begins, ends in days:
            taken |= (1 << ends) - (1 << begins)
        self._taken[room] = taken

    def take(self, room: int, nights: Span) -> None:
        self._taken[room] = self._taken.get(room, 0) | self._bits(nights)

    def first_free(self, rooms: Iterable[int], nights: Span) -> int | None:
        """The first of these rooms that is free on all of these nights; it is taken now."""
        bits = self._bits(nights)
        for room in rooms:
            taken = self._taken.get(room, 0)
            if not taken & bits:
                self._taken[room] = taken | bits
                return room
        return None

    def free_runs(self, room: int, nights: Span) -> list[Span]:
        """The parts of these nights on which nothing has the room."""
        taken = self._taken.get(room, 0)
        runs: list[Span] = []
        begins, ends = nights
        for number in range(begins.toordinal(), ends.toordinal()):
            if taken >> (number - self._first) & 1:
                continue
            day = datetime.date.fromordinal(number)
            if runs and runs[-1][1] == day:
                runs[-1] = (runs[-1][0], day + _ONE_DAY)
            else:
                runs.append((day, day + _ONE_DAY))
        return runs

    def _bits(self, nights: Span) -> int:
        begins, ends = (day.toordinal() - self._first for day in nights)
        return (1 << ends) - (1 << begins)


def window(spans: Sequence[Span]) -> Span:
    """From the first arrival to the last departure."""
    return min(begins for begins, _ends in spans), max(ends for _begins, ends in spans)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same nights in as few spans as can be, in their order."""
    found: list[Span] = []
    for begins, ends in sorted(spans):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(ends, found[-1][1]))
        else:
            found.append((begins, ends))
    return found

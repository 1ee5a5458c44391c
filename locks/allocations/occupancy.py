"""The occupied nights of rooms, in memory.

The nights of each room are stored as an integer with one bit per night, so rooms can be assigned to thousands of stays
without a query for each stay. The occupied nights in memory are correct as long as the caller keeps the rooms locked.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

#: A range of nights: the check-in date and the check-out date.
Span = tuple[datetime.date, datetime.date]
_ONE_DAY = datetime.timedelta(days=1)


class Occupancy:
    """The occupied nights of rooms from the date `first` on. Earlier nights can't be added."""

    def __init__(self, *, first: datetime.date) -> None:
        self._first = first.toordinal()
        self._occupied: dict[int, int] = {}

    def set_occupied(self, room: int, spans: Iterable[tuple[int, int]]) -> None:
        """Replace the occupied nights of a room.

        Each span is a check-in and a check-out, both as numbers of days after the date `first` of this instance.
        """
        occupied = 0
        for begin, end in spans:
            occupied |= (1 << end) - (1 << begin)
        self._occupied[room] = occupied

    def occupy(self, room: int, span: Span) -> None:
        """Mark nights of a room as occupied."""
        self._occupied[room] = self._occupied.get(room, 0) | self._bits(span)

    def occupy_first_free(self, rooms: Iterable[int], span: Span) -> int | None:
        """Occupy and return the first room that is free on all nights of the span. Return None if no room is free."""
        bits = self._bits(span)
        for room in rooms:
            occupied = self._occupied.get(room, 0)
            if not occupied & bits:
                self._occupied[room] = occupied | bits
                return room
        return None

    def free_spans(self, room: int, span: Span) -> list[Span]:
        """Return the parts of the span (a range of nights) in which the room is free."""
        occupied = self._occupied.get(room, 0)
        spans: list[Span] = []
        check_in, check_out = span
        for ordinal in range(check_in.toordinal(), check_out.toordinal()):
            if occupied >> (ordinal - self._first) & 1:
                continue
            date = datetime.date.fromordinal(ordinal)
            if spans and spans[-1][1] == date:
                spans[-1] = (spans[-1][0], date + _ONE_DAY)
            else:
                spans.append((date, date + _ONE_DAY))
        return spans

    def _bits(self, span: Span) -> int:
        begin, end = (date.toordinal() - self._first for date in span)
        return (1 << end) - (1 << begin)


def enclosing_span(spans: Sequence[Span]) -> Span:
    """Return the span from the first check-in to the last check-out of the given spans."""
    return min(check_in for check_in, _check_out in spans), max(check_out for _check_in, check_out in spans)


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Merge overlapping and adjacent spans. Return the resulting spans in ascending order."""
    merged: list[Span] = []
    for check_in, check_out in sorted(spans):
        if merged and check_in <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(check_out, merged[-1][1]))
        else:
            merged.append((check_in, check_out))
    return merged

"""Finds the fewest rooms that the stays of a file need, and which stay gets which.

Greedy interval partitioning by type: stays in the order of arrival, each to the lowest-numbered room that is
free. It needs as many rooms as the busiest night has stays, and no fewer can do (Kleinberg and Tardos,
Algorithm Design, 4.1). The stays are kept as plain numbers: 20 bytes each.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from datetime import date


class Rooming:
    """Fed with every stay of a file in the file's order; then says the room of each by its place in it."""

    def __init__(self) -> None:
        self._arrivals = array("i")
        self._departures = array("i")
        self._types = array("i")
        self._rooms = array("i")
        self._type_numbers: dict[str, int] = {}
        self._used: list[int] = []  # rooms of each type

    def add(self, *, room_type: str, arrival: date, departure: date) -> None:
        self._arrivals.append(arrival.toordinal())
        self._departures.append(departure.toordinal())
        self._types.append(self._type_numbers.setdefault(room_type, len(self._type_numbers)))

    def solve(self) -> None:
        self._rooms = array("i", bytes(4 * len(self._arrivals)))
        self._used = [0] * len(self._type_numbers)
        free: list[list[int]] = [[] for _ in self._used]  # rooms, lowest first
        busy: list[list[tuple[int, int]]] = [[] for _ in self._used]  # (departure, room)
        for stay in self._by_arrival():
            kind, arrival = self._types[stay], self._arrivals[stay]
            while busy[kind] and busy[kind][0][0] <= arrival:  # who leaves that day makes room for who comes
                heapq.heappush(free[kind], heapq.heappop(busy[kind])[1])
            if free[kind]:
                room = heapq.heappop(free[kind])
            else:
                room = self._used[kind]
                self._used[kind] += 1
            heapq.heappush(busy[kind], (self._departures[stay], room))
            self._rooms[stay] = room

    def _by_arrival(self) -> array[int]:
        """The stays in the order of arrival, those of a day in the file's. Counted rather than sorted: a list of
        a file's row numbers takes ten times the memory."""
        counts = Counter(self._arrivals)
        first: dict[int, int] = {}
        place = 0
        for day in sorted(counts):
            first[day] = place
            place += counts[day]
        order = array("i", bytes(4 * len(self._arrivals)))
        for stay, day in enumerate(self._arrivals):
            order[first[day]] = stay
            first[day] += 1
        return order

    @property
    def needed(self) -> dict[str, int]:
        """Rooms by type."""
        return {name: self._used[number] for name, number in self._type_numbers.items()}

    def room(self, stay: int) -> int:
        """The place, among the rooms of its type, of the room for the stay that was added as number `stay`."""
        return self._rooms[stay]

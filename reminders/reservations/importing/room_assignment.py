"""Assignment of rooms to the stays in a file, so that as few rooms as possible are needed.

The algorithm is greedy interval partitioning for each room type: in the order of arrival, each stay gets the free room
with the lowest number. This number of rooms is the minimum (Kleinberg and Tardos, Algorithm Design, section 4.1). Stays
are kept in arrays of integers, 20 bytes for each.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from datetime import date


class RoomAssignment:
    """The assignment of rooms to the stays in a file.

    First add all stays, then call `solve`. After that, `room_index` returns each stay's room.
    """

    def __init__(self) -> None:
        self._arrivals = array("i")
        self._departures = array("i")
        self._types = array("i")
        self._rooms = array("i")
        self._type_indexes: dict[str, int] = {}
        self._room_counts: list[int] = []  # by type

    def add(self, *, room_type: str, arrival: date, departure: date) -> int:
        """Add a stay to the list of stays. Return the index of the stay in the list."""
        self._arrivals.append(arrival.toordinal())
        self._departures.append(departure.toordinal())
        self._types.append(self._type_indexes.setdefault(room_type, len(self._type_indexes)))
        return len(self._arrivals) - 1

    def solve(self) -> None:
        self._rooms = array("i", bytes(4 * len(self._arrivals)))
        self._room_counts = [0] * len(self._type_indexes)
        # Each room type has two heaps: the free rooms, and the occupied rooms as (departure, room) pairs.
        free: list[list[int]] = [[] for _ in self._room_counts]
        occupied: list[list[tuple[int, int]]] = [[] for _ in self._room_counts]
        for stay in self._by_arrival():
            type_, arrival = self._types[stay], self._arrivals[stay]
            # On the day of departure, the room is free for the next stay.
            while occupied[type_] and occupied[type_][0][0] <= arrival:
                heapq.heappush(free[type_], heapq.heappop(occupied[type_])[1])
            if free[type_]:
                room = heapq.heappop(free[type_])
            else:
                room = self._room_counts[type_]
                self._room_counts[type_] += 1
            heapq.heappush(occupied[type_], (self._departures[stay], room))
            self._rooms[stay] = room

    def _by_arrival(self) -> array[int]:
        """Return the indexes of the stays, ordered by arrival and then by their order in the file.

        The method uses a counting sort in an array, because the list that `sorted` returns takes ten times the memory.
        """
        counts = Counter(self._arrivals)
        next_position: dict[int, int] = {}
        position = 0
        for day in sorted(counts):
            next_position[day] = position
            position += counts[day]
        order = array("i", bytes(4 * len(self._arrivals)))
        for stay, day in enumerate(self._arrivals):
            order[next_position[day]] = stay
            next_position[day] += 1
        return order

    @property
    def required_rooms(self) -> dict[str, int]:
        """Return the number of rooms that the stays need, by room type."""
        return {name: self._room_counts[index] for name, index in self._type_indexes.items()}

    def room_index(self, stay: int) -> int:
        """Return the room that is assigned to the stay, as an index into the list of rooms of its room type.

        `stay` is the number that `add` returned for the stay.
        """
        return self._rooms[stay]

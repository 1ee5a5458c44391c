"""Two checks for double bookings, one in SQL and one in Python, which do not use the code under test."""

from collections import defaultdict
from collections.abc import Iterable

from tests.races.crowd import Granted

#: Counts double bookings by comparing dates. The exclusion constraint compares ranges instead.
OVERLAPS = """
SELECT count(*)
FROM locks_allocation one JOIN locks_allocation other ON one.room_id = other.room_id AND one.id < other.id
WHERE one.status IN ('held', 'confirmed', 'closed')
  AND other.status IN ('held', 'confirmed', 'closed')
  AND lower(one.nights) < upper(other.nights) AND lower(other.nights) < upper(one.nights)
"""


def count_overlaps(granted: Iterable[Granted]) -> int:
    """Return the number of pairs of granted holds that share a room on at least one night."""
    rooms: dict[int, list[Granted]] = defaultdict(list)
    for one in granted:
        rooms[one.room].append(one)
    return sum(
        one.check_in < other.check_out and other.check_in < one.check_out
        for given in rooms.values()
        for index, one in enumerate(given)
        for other in given[index + 1 :]
    )

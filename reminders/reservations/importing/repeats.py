"""Finds the numbers that a file has more than once, in memory that does not grow with the file.

Of rows with one number only one can be the booking, and were each to be stored in its turn, every import of the file
would change it back and forth. The first look notes a number as one bit of a fixed field (a Bloom filter of one hash):
what meets a bit that is set may have come before, and only those few are remembered by name in the second look.
"""

from __future__ import annotations

_BITS = 1 << 23  # 1 MB: one in eighty is remembered for nothing at 100,000 rows


class Repeats:
    def __init__(self) -> None:
        self._field = bytearray(_BITS >> 3)
        self._suspects: set[int] = set()
        self._first_lines: dict[str, int] = {}

    def note(self, number: str) -> None:
        """In the first look."""
        place = hash(number) % _BITS
        byte, bit = place >> 3, 1 << (place & 7)
        if self._field[byte] & bit:
            self._suspects.add(place)
        self._field[byte] |= bit

    def first_line(self, number: str, *, line: int) -> int:
        """In the second look: the line that had this number first; `line` itself, if none had."""
        if hash(number) % _BITS not in self._suspects:
            return line
        return self._first_lines.setdefault(number, line)

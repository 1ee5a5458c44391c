"""Detection of booking numbers that occur more than once in a file."""

from __future__ import annotations


class DuplicateNumbers:
    """The booking numbers that a file repeats.

    Only the first row with a number is imported. If all rows with the number were imported, every import of the same
    file would change the reservation back and forth. The first pass over the file stores an 8-byte hash of each
    number, so that long numbers need no more memory. The second pass stores line numbers of repeated hashes only.
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._repeated_hashes: set[int] = set()
        self._first_lines: dict[str, int] = {}

    def add(self, number: str) -> None:
        """Remember a booking number during the first pass over the file."""
        hash_ = hash(number)
        if hash_ in self._hashes:
            self._repeated_hashes.add(hash_)
        else:
            self._hashes.add(hash_)

    def finish_first_pass(self) -> None:
        """Release the memory that is only needed during the first pass over the file."""
        self._hashes.clear()

    def first_line(self, number: str, *, line: int) -> int:
        """Return the number of the first line with this booking number. Called for each `line` in the second pass."""
        if hash(number) not in self._repeated_hashes:
            return line
        return self._first_lines.setdefault(number, line)

"""Detection of booking numbers that occur more than once in a file."""

from __future__ import annotations


class DuplicateNumbers:
    """The booking numbers that a file repeats.

    Only the first row of a number is imported. If all of these rows were imported, every import of the same file
    would change the reservation back and forth. The first pass over the file remembers an 8-byte hash of every
    number, so long numbers take no more memory than short ones. The second pass needs the lines of the repeated
    hashes only.
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._repeated_hashes: set[int] = set()
        self._first_lines: dict[str, int] = {}

    def add(self, number: str) -> None:
        """Register a number in the first pass."""
        hash_ = hash(number)
        if hash_ in self._hashes:
            self._repeated_hashes.add(hash_)
        else:
            self._hashes.add(hash_)

    def finish_first_pass(self) -> None:
        """Release the memory that only the first pass needs."""
        self._hashes.clear()

    def first_line(self, number: str, *, line: int) -> int:
        """Return the first line with this number. Called in the second pass, with the current `line`."""
        if hash(number) not in self._repeated_hashes:
            return line
        return self._first_lines.setdefault(number, line)

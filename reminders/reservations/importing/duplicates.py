"""Detection of booking numbers that occur more than once in a file."""

from __future__ import annotations


class RepeatedNumbers:
    """The booking numbers that occur more than once in a file.

    The first pass over the file stores an 8-byte hash of each number, so that long numbers need no more memory than
    short ones.
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._repeated: set[int] = set()

    def add(self, number: str) -> None:
        """Record the booking number of a row. Call this method for each row in the first pass over the file."""
        hash_ = hash(number)
        if hash_ in self._hashes:
            self._repeated.add(hash_)
        else:
            self._hashes.add(hash_)

    def finish_first_pass(self) -> None:
        """Release the memory that is only needed during the first pass over the file."""
        self._hashes.clear()

    def __contains__(self, number: str) -> bool:
        """Return whether several rows of the file have this booking number.

        In rare cases the result is True for the number of a single row, because a repeated number has the same hash.
        """
        return bool(self._repeated) and hash(number) in self._repeated

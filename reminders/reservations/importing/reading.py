"""Opens a file of bookings, packed or not, and gives its rows one by one with their line numbers."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reminders.errors import InvalidFile

_GZIP = b"\x1f\x8b"
_DELIMITERS = ",;\t|"
_SAMPLE = 65_536  # bytes


@dataclass(frozen=True, slots=True)
class Format:
    """How the file is written. Spreadsheets in Europe write semicolons and Windows-1252."""

    encoding: str
    delimiter: str


class Source:
    """A file that may be read several times, a row at a time. Raises InvalidFile."""

    def __init__(self, path: Path, *, encoding: str = "", delimiter: str = "") -> None:
        self.path = path
        with self._bytes() as stream:
            try:
                sample = stream.read(_SAMPLE)
            except (OSError, EOFError) as error:
                raise InvalidFile(f"{path}: {error}") from error
        self.format = _format(sample, encoding=encoding, delimiter=delimiter)
        self.header = next((row for _line, row in self._lines()), [])
        if not self.header:
            raise InvalidFile(f"{path}: the file is empty; its first line should name the columns.")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row after the header with the number of its last line; empty lines are passed over."""
        lines = self._lines()
        next(lines)
        return ((line, row) for line, row in lines if row)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        with self._bytes() as stream:
            text = io.TextIOWrapper(stream, encoding=self.format.encoding, errors="replace", newline="")
            reader = csv.reader(text, delimiter=self.format.delimiter)
            try:
                for row in reader:
                    yield reader.line_num, row
            except (csv.Error, OSError, EOFError) as error:
                raise InvalidFile(f"{self.path}, line {reader.line_num}: {error}") from error

    @contextlib.contextmanager
    def _bytes(self) -> Iterator[IO[bytes] | gzip.GzipFile]:
        try:
            with self.path.open("rb") as stream:
                is_packed = stream.read(2) == _GZIP
                stream.seek(0)
                if is_packed:
                    with gzip.open(stream) as unpacked:
                        yield unpacked
                else:
                    yield stream
        except OSError as error:
            raise InvalidFile(f"{self.path}: {error.strerror or error}") from error


def _format(sample: bytes, *, encoding: str, delimiter: str) -> Format:
    found = encoding or _encoding(sample)
    try:
        first_line = sample.decode(found, errors="replace").partition("\n")[0]
    except LookupError as error:
        raise InvalidFile(f"There is no encoding {found!r}. Say utf-8, cp1252, latin-1 ...") from error
    return Format(found, delimiter or max(_DELIMITERS, key=first_line.count))


def _encoding(sample: bytes) -> str:
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        # The sample may end in the middle of a character, which is at most four bytes long.
        sample[: -4 if len(sample) == _SAMPLE else None].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 8:
            return "cp1252"
    return "utf-8-sig"

"""A reader of CSV files of bookings. Files may be compressed with gzip and are read row by row."""

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

_GZIP_MAGIC = b"\x1f\x8b"
_DELIMITERS = ",;\t|"
_SAMPLE_SIZE = 65_536  # bytes
_MAX_UTF8_LENGTH = 4  # bytes of one character


@dataclass(frozen=True, slots=True)
class FileFormat:
    """The encoding and the delimiter of a CSV file. European spreadsheets use Windows-1252 and semicolons."""

    encoding: str
    delimiter: str


class BookingsFile:
    """A CSV file that can be read several times. Every method raises InvalidFile if the file can't be read.

    If `encoding` or `delimiter` is empty, it is detected from the beginning of the file.
    """

    def __init__(self, path: Path, *, encoding: str = "", delimiter: str = "") -> None:
        self.path = path
        with self._open() as stream:
            try:
                sample = stream.read(_SAMPLE_SIZE)
            except (OSError, EOFError) as error:
                raise InvalidFile(f"{path}: {error}") from error
        self.format = _detect_format(sample, encoding=encoding, delimiter=delimiter)
        self.header = next((row for _line, row in self._lines()), [])
        if not self.header:
            raise InvalidFile(f"{path}: the file is empty. Its first line must contain the column names.")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line number and the cells of each row after the header. Empty lines are left out.

        If cells of a row contain line breaks, the line number is that of the row's last line.
        """
        lines = self._lines()
        next(lines)
        return ((line, row) for line, row in lines if row)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        with self._open() as stream:
            text = io.TextIOWrapper(stream, encoding=self.format.encoding, errors="replace", newline="")
            reader = csv.reader(text, delimiter=self.format.delimiter)
            try:
                for row in reader:
                    yield reader.line_num, row
            except (csv.Error, OSError, EOFError) as error:
                raise InvalidFile(f"{self.path}, line {reader.line_num}: {error}") from error

    @contextlib.contextmanager
    def _open(self) -> Iterator[IO[bytes] | gzip.GzipFile]:
        try:
            with self.path.open("rb") as stream:
                is_compressed = stream.read(2) == _GZIP_MAGIC
                stream.seek(0)
                if is_compressed:
                    with gzip.open(stream) as uncompressed:
                        yield uncompressed
                else:
                    yield stream
        except OSError as error:
            raise InvalidFile(f"{self.path}: {error.strerror or error}") from error


def _detect_format(sample: bytes, *, encoding: str, delimiter: str) -> FileFormat:
    encoding = encoding or _detect_encoding(sample)
    try:
        first_line = sample.decode(encoding, errors="replace").partition("\n")[0]
    except LookupError as error:
        raise InvalidFile(
            f"Unknown encoding: {encoding}. Use utf-8, cp1252 or latin-1, for example."
        ) from error
    return FileFormat(encoding, delimiter or max(_DELIMITERS, key=first_line.count))


def _detect_encoding(sample: bytes) -> str:
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        # The last bytes are not decoded, because the sample may end in the middle of a character.
        sample[: -_MAX_UTF8_LENGTH if len(sample) == _SAMPLE_SIZE else None].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 2 * _MAX_UTF8_LENGTH:
            return "cp1252"
    return "utf-8-sig"

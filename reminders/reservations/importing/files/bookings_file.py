"""A file of bookings that is read row by row. The file may be compressed with gzip."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import FileChoice, InvalidFile
from reminders.reservations.importing.files import json_lines, workbook
from reminders.reservations.importing.files.formats import (
    FileFormat,
    Source,
    detect_delimiter,
    detect_encoding,
    detect_kind,
    find_header,
    known_names,
    separator_line,
)

_GZIP_MAGIC = b"\x1f\x8b"
_SAMPLE_SIZE = 4_096  # bytes
_SAMPLE_LINES = 50
#: A row that begins with one of these words and has no dates is a row of totals, not a booking.
_TOTALS = ("total", "totals", "grand total", "sum", "summe", "gesamt", "totales", "total general", "subtotal")

Row = tuple[int, list[str]]
Stream = BinaryIO | gzip.GzipFile


class BookingsFile:
    """A file of bookings that can be read several times. Every method raises InvalidFile if the file can't be read.

    If `encoding` or `delimiter` is empty, its value is detected. `column_names` are additional column names that help
    to find the header row. An uploaded file stays open, so the caller must close it.
    """

    def __init__(
        self,
        source: Source,
        *,
        name: str = "",
        encoding: str = "",
        delimiter: str = "",
        column_names: Collection[str] = (),
    ) -> None:
        self._source = source
        self.name = name or (source.name if isinstance(source, Path) else getattr(source, "name", ""))
        names = known_names(column_names)
        with self._open() as stream, self._read_errors_as_invalid_file():
            kind = detect_kind(stream.read(_SAMPLE_SIZE))
        if kind == "csv":
            encoding, delimiter, skipped = self._csv_format(encoding, delimiter, names)
        elif kind == "jsonl":
            encoding, skipped = encoding or self._encoding(), 0
        self.format = FileFormat(kind, encoding, delimiter)
        self._json_keys = self._read_keys() if kind == "jsonl" else []
        sample = list(itertools.islice(self._all_rows(), _SAMPLE_LINES))
        if not any(cell.strip() for _line, row in sample for cell in row):
            message = _("{name}: the file is empty. Its first line must contain the column names.")
            raise InvalidFile(TranslatableMessage(message, name=self.name))
        if kind == "csv" and skipped:
            sample = sample[skipped:]
        position = 0 if kind == "jsonl" else find_header([row for _line, row in sample], names=names)
        line, header = sample[position]
        self.format = FileFormat(kind, encoding, delimiter, line)
        self.header = [cell.strip() for cell in header]

    def rows(self) -> Iterator[Row]:
        """Yield the line number and the cells of each row after the header. Empty rows are skipped.

        If the cells of a row contain line breaks, the number of the last line of the row is yielded.
        """
        return ((line, row) for line, row in self._all_rows() if line > self.format.header_line and any(row))

    def _all_rows(self) -> Iterator[Row]:
        with self._open() as stream, self._read_errors_as_invalid_file():
            if self.format.kind == "xlsx":
                yield from workbook.read_rows(stream)
                return
            with _text(stream, self.format.encoding) as text:
                if self.format.kind == "jsonl":
                    yield 0, self._json_keys
                    yield from json_lines.read_rows(text, self._json_keys)
                else:
                    yield from self._csv_rows(text)

    def _csv_rows(self, text: io.TextIOWrapper) -> Iterator[Row]:
        reader = csv.reader(text, delimiter=self.format.delimiter)
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            message = _(
                "{name}: line {line} can't be read as CSV ({error}). Correct this line and try again."
            )
            raise InvalidFile(
                TranslatableMessage(message, name=self.name, line=reader.line_num, error=str(error))
            ) from error

    def _encoding(self) -> str:
        with self._open() as stream, self._read_errors_as_invalid_file():
            return detect_encoding(stream)

    def _csv_format(self, encoding: str, delimiter: str, names: Collection[str]) -> tuple[str, str, int]:
        """Return the encoding, the delimiter, and the number of `sep=` lines before the header (0 or 1)."""
        encoding = encoding or self._encoding()
        with self._open() as stream, self._read_errors_as_invalid_file(), _text(stream, encoding) as text:
            lines = list(itertools.islice(text, _SAMPLE_LINES))
        named = separator_line(lines[0]) if lines else None
        if named:
            return encoding, delimiter or named, 1
        return encoding, delimiter or detect_delimiter(lines, names=names), 0

    def _read_keys(self) -> list[str]:
        with (
            self._open() as stream,
            self._read_errors_as_invalid_file(),
            _text(stream, self.format.encoding) as text,
        ):
            return json_lines.read_keys(text)

    @contextlib.contextmanager
    def _read_errors_as_invalid_file(self) -> Iterator[None]:
        """Raise InvalidFile in place of an error that occurs while a damaged file is read."""
        try:
            yield
        except UnicodeError as error:
            message = _("{name}: a character can't be decoded ({error}).")
            raise InvalidFile(
                TranslatableMessage(message, name=self.name, error=str(error)), choice=FileChoice.ENCODING
            ) from error
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise self._unreadable(error) from error

    @contextlib.contextmanager
    def _open(self) -> Iterator[Stream]:
        with contextlib.ExitStack() as stack:
            try:
                stream: BinaryIO = (
                    stack.enter_context(self._source.open("rb"))
                    if isinstance(self._source, Path)
                    else self._source
                )
                stream.seek(0)
                is_compressed = stream.read(2) == _GZIP_MAGIC
                stream.seek(0)
            except OSError as error:
                raise self._unreadable(error) from error
            yield (
                stack.enter_context(contextlib.closing(gzip.GzipFile(fileobj=stream)))
                if is_compressed
                else stream
            )

    def _unreadable(self, error: Exception) -> InvalidFile:
        # For an error of the operating system, such as a missing file, `strerror` contains the reason as a text.
        if reason := getattr(error, "strerror", None):
            return InvalidFile(f"{self.name}: {reason}")
        message = _("{name}: the file is damaged or incomplete ({error}).")
        return InvalidFile(TranslatableMessage(message, name=self.name, error=str(error)))


def is_total(row: Sequence[str]) -> bool:
    """Return whether the row begins with a word such as "Total". The caller checks that the row has no dates."""
    first = next((cell.strip().casefold().rstrip(":") for cell in row if cell.strip()), "")
    return first in _TOTALS or first.startswith(("total ", "total:"))


@contextlib.contextmanager
def _text(stream: Stream, encoding: str) -> Iterator[io.TextIOWrapper]:
    """Yield a text stream that decodes the byte stream. The byte stream stays open."""
    try:
        text = io.TextIOWrapper(stream, encoding=encoding, newline="")
    except LookupError as error:
        message = _("Unknown encoding: {encoding}. Use utf-8, cp1252 or latin-1, for example.")
        raise InvalidFile(TranslatableMessage(message, encoding=encoding)) from error
    try:
        yield text
    finally:
        text.detach()

"""The detection of the format of a file: the kind of file, its encoding and its delimiter."""

from __future__ import annotations

import codecs
import csv
import gzip
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidFile
from reminders.reservations.importing.columns.fields import KNOWN_NAMES, normalize_name
from reminders.reservations.importing.columns.profiles import built_in_profiles

#: The file to read: the path of a file, or an uploaded file that can be read several times.
Source = Path | BinaryIO

_DELIMITERS = ",;\t|"
_BLOCK_SIZE = 1 << 20  # bytes
_HEADER_ROWS = 30
_MAGIC = {
    b"PK\x03\x04": "xlsx",
    b"\xd0\xcf\x11\xe0": "xls",
    b"%PDF": "pdf",
}
_REFUSED = {
    "xls": _("This is a workbook of Excel 97 to 2003 (.xls). Open it in Excel and save it as .xlsx or CSV."),
    "pdf": _("This is a PDF document. Export the data as CSV or as an Excel workbook (.xlsx)."),
    "html": _(
        "This is a web page and not a table. Some systems export web pages with the extension .xls. Open the file in "
        "Excel and save it as .xlsx or CSV."
    ),
    "json": _(
        "This is a JSON document. Export the data as CSV, as an Excel workbook (.xlsx), or as JSON Lines with one "
        "object in each line."
    ),
}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """The format of a file.

    `kind` is `csv`, `xlsx` or `jsonl`. `header_line` is the number of the line with the column names.
    """

    kind: str
    encoding: str = ""
    delimiter: str = ""
    header_line: int = 1


def detect_kind(sample: bytes) -> str:
    """Return the format of the file that begins with these bytes. Raises InvalidFile if the format can't be read."""
    kind = next((kind for magic, kind in _MAGIC.items() if sample.startswith(magic)), None)
    if kind is None:
        text = sample.removeprefix(codecs.BOM_UTF8).replace(b"\x00", b"").lstrip().lower()
        if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<table")):
            kind = "html"
        elif text.startswith(b"["):
            kind = "json"
        else:
            kind = "jsonl" if text.startswith(b"{") else "csv"
    if kind in _REFUSED:
        raise InvalidFile(TranslatableMessage(_REFUSED[kind]))
    return kind


def detect_encoding(stream: BinaryIO | gzip.GzipFile) -> str:
    """Return the encoding of the whole stream: UTF-8, UTF-16, or Windows-1252, which European spreadsheets use.

    Raises InvalidFile if the file is UTF-8 but has damaged characters.
    """
    block = stream.read(_BLOCK_SIZE)
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for encoding, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        high_bytes = block[start:4096:2]
        if len(high_bytes) > 8 and high_bytes.count(0) > 0.7 * len(high_bytes):
            return encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block:
            decoder.decode(block)
            block = stream.read(_BLOCK_SIZE)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        stream.seek(0)
        return _encoding_of_invalid_utf8(stream)
    return "utf-8-sig"


def _encoding_of_invalid_utf8(stream: Iterable[bytes]) -> str:
    """Return "cp1252", the encoding of a file that is not valid UTF-8.

    Raises InvalidFile if most of the non-ASCII characters are valid UTF-8, because the file is then damaged UTF-8.
    """
    valid, damaged, first_damaged = 0, 0, 0
    for line, content in enumerate(stream, start=1):
        if not content.isascii():
            text = content.decode("utf-8", errors="surrogateescape")
            escaped = sum("\udc80" <= character <= "\udcff" for character in text)
            valid += sum(character > "\x7f" for character in text) - escaped
            damaged += escaped
            first_damaged = first_damaged or (line if escaped else 0)
    if valid and valid >= damaged:
        message = _("The file is UTF-8, but line {line} has a damaged character. Correct it and try again.")
        raise InvalidFile(TranslatableMessage(message, line=first_damaged))
    return "cp1252"


def separator_line(line: str) -> str | None:
    """Return the delimiter in a line such as `sep=;`, or None. Excel writes such a line before the header."""
    text = line.strip().strip('"').casefold()
    return line.strip().strip('"')[4:5] or None if text.startswith("sep=") and len(text) <= 5 else None


def detect_delimiter(lines: Sequence[str], *, names: Collection[str]) -> str:
    """Return the delimiter that yields the most known column names in the first lines.

    If several delimiters yield the same number of names, the delimiter that yields the most cells is returned.
    """

    def score(delimiter: str) -> tuple[int, int]:
        try:
            rows = list(csv.reader(lines, delimiter=delimiter))
        except csv.Error:
            return 0, 0
        return max((_known(row, names) for row in rows), default=0), sum(len(row) - 1 for row in rows)

    return max(_DELIMITERS, key=score)


def known_names(additional: Collection[str] = ()) -> set[str]:
    """Return all known column names in normalized form.

    The known names are the names of the fields, the names in the built-in profiles, and the names in `additional`.
    """
    profiles = built_in_profiles().values()
    names = {normalize_name(name) for profile in profiles for name in profile.column_names()}
    for name in additional:
        names |= {normalize_name(name), *map(normalize_name, name.split("+"))}
    return names | KNOWN_NAMES


def find_header(rows: Sequence[Sequence[str]], *, names: Collection[str]) -> int:
    """Return the index of the header row: the row with the most known column names.

    If no row has two known names, the header is the first row with many filled cells, because reports can begin with
    title lines.
    """
    rows = rows[:_HEADER_ROWS]
    known = [_known(row, names) for row in rows]
    if max(known, default=0) > 1:
        return known.index(max(known))
    widths = [sum(bool(cell.strip()) for cell in row) for row in rows]
    return next((n for n, width in enumerate(widths) if width and width >= 0.6 * max(widths)), 0)


def _known(row: Sequence[str], names: Collection[str]) -> int:
    return len({name for cell in row if (name := normalize_name(cell)) in names})

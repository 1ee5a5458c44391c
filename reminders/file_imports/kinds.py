"""The interface that each kind of uploaded file implements for the admin pages and the import worker."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Protocol

from django.utils.functional import Promise

from reminders.file_imports.problems import Problem
from reminders.models import FileImport
from reminders.reservations.importing.files import BookingsFile


@dataclass(frozen=True, slots=True)
class ImportField:
    """A field to which a column of a file can be mapped."""

    name: str
    label: str | Promise
    is_required: bool = False
    #: Whether several columns can be combined into the field, such as first name and last name into a guest name.
    is_joinable: bool = False


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of a file, with its first distinct values. `field` is empty if the column is not mapped to a field."""

    name: str
    samples: Sequence[str]
    field: str


@dataclass(frozen=True, slots=True)
class AmbiguousDate:
    """A column of ambiguous dates, with an example and its two possible readings as ISO dates."""

    column: str
    example: str
    day_first: str
    month_first: str


@dataclass(frozen=True, slots=True)
class StatusWord:
    """A value in the status column of a file, such as "Booked".

    `rows` is the number of rows with this value. `status` is the reservation status that the value means, or an empty
    string if the meaning is unknown.
    """

    word: str
    rows: int
    status: str


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of an uploaded file, with the choices that staff must make before the file can be imported."""

    format: str
    row_count: int
    columns: Sequence[FileColumn]
    #: The required fields that have no column in the file.
    missing: Sequence[str] = ()
    #: The name and the title of the vendor's profile, or empty strings if no profile is used.
    profile: str = ""
    profile_title: str = ""
    ambiguous_dates: Sequence[AmbiguousDate] = ()
    statuses: Sequence[StatusWord] = ()
    #: The hotels in the file. If the file contains several hotels, staff must choose one hotel.
    hotels: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return this description of the file as a JSON-serializable dict, to be stored in `FileImport.inspection`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a check or an import of a file.

    `new_problems` contains the problems that were found since the progress was last stored.
    """

    finished_rows: int
    total_rows: int
    counts: Mapping[str, Any]
    new_problems: Sequence[Problem] = ()


class Work(Protocol):
    """The interface of the object through which `Kind.process` stores its progress and checks the time limit."""

    @property
    def is_dry_run(self) -> bool: ...

    def save(self, progress: Progress) -> None:
        """Store the progress of a check or an import.

        Call this method in the transaction that stores the imported rows.
        """

    def check_time(self) -> None:
        """Raise an exception if the time limit of the worker has passed. Call this method outside of a transaction."""


class Kind(Protocol):
    """The interface for importing one kind of file, such as files of reservations or files of rooms."""

    @property
    def fields(self) -> Sequence[ImportField]: ...

    def inspect(self, stream: BinaryIO, uploaded: FileImport) -> FileContent:
        """Read the file with the settings in `uploaded.settings`, and return its content. Raises InvalidFile."""

    def process(self, stream: BinaryIO, claimed: FileImport, work: Work) -> Progress:
        """Check or import the rows that are not finished yet. Return the final progress, which the caller must store.

        Raises InvalidFile.
        """


def open_content(uploaded: FileImport) -> BinaryIO:
    """Return the content of the uploaded file as a stream. The stream's `name` is the name of the file."""
    stream = io.BytesIO(zlib.decompress(uploaded.content))
    stream.name = uploaded.file_name
    return stream


def describe_format(file: BookingsFile) -> str:
    """Return the file format as users see it, such as `CSV, CP1252, “;”` or `XLSX`."""
    delimiters = {"\t": "TAB", "": ""}
    delimiter = delimiters.get(file.format.delimiter, f"“{file.format.delimiter}”")
    encoding = file.format.encoding.upper().removesuffix("-SIG")
    return ", ".join(part for part in (file.format.kind.upper(), encoding, delimiter) if part)

"""The import of uploaded files that list a hotel's rooms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from locks.allocations import rooms_file
from locks.services import add_rooms
from reminders.file_imports.kinds import FileColumn, FileContent, ImportField, Progress, Work, describe_format
from reminders.file_imports.problems import Problem
from reminders.models import FileImport
from reminders.reservations.importing.files import BookingsFile, Source

_LABELS = {
    "number": _("Room number"),
    "type": _("Room type"),
    "floor": _("Floor"),
    "capacity": _("Capacity"),
}
_SAMPLES = 3
_SAMPLED_ROWS = 50


class RoomFiles:
    """The implementation of the interface `Kind` for files of rooms, which have a row for each room.

    Existing rooms are not changed.
    """

    fields = tuple(
        ImportField(name, _LABELS[name], name in rooms_file.REQUIRED_FIELDS)
        for name in rooms_file.COLUMN_NAMES
    )

    def inspect(self, stream: BinaryIO, uploaded: FileImport) -> FileContent:
        file = open_rooms_file(stream)
        indexes = _indexes(file, uploaded.settings)
        fields = {index: field for field, index in indexes.items()}
        samples: list[dict[str, None]] = [{} for _column in file.header]
        row_count = 0
        for _line, row in file.rows():
            row_count += 1
            if row_count <= _SAMPLED_ROWS:
                for known, cell in zip(samples, row, strict=False):
                    if cell.strip() and len(known) < _SAMPLES:
                        known[cell.strip()] = None
        return FileContent(
            format=describe_format(file),
            row_count=row_count,
            columns=[
                FileColumn(name, list(samples[index]), fields.get(index, ""))
                for index, name in enumerate(file.header)
            ],
            missing=[field for field in rooms_file.REQUIRED_FIELDS if field not in indexes],
        )

    def process(self, stream: BinaryIO, claimed: FileImport, work: Work) -> Progress:
        """Check or import all rooms in one transaction, because a hotel has few rooms."""
        if claimed.finished_rows:
            return Progress(claimed.finished_rows, claimed.finished_rows, claimed.counts)
        file = open_rooms_file(stream)
        rooms, rejected = rooms_file.read_rooms(
            file.rows(), columns=_indexes(file, claimed.settings), width=len(file.header)
        )
        rows = len(rooms) + len(rejected)
        with transaction.atomic():
            with transaction.atomic():
                added = add_rooms(rooms)
                transaction.set_rollback(work.is_dry_run)
            counts = {
                "created": len(added),
                "unchanged": len(rooms) - len(added),
                "rejected": len(rejected),
            }
            problems = [Problem(line=row.line, number=row.number, reason=row.reason) for row in rejected]
            work.save(Progress(rows, rows, counts, problems))
        return Progress(rows, rows, counts)


def open_rooms_file(source: Source) -> BookingsFile:
    """Return the file of rooms, which can be read several times. Raises InvalidFile."""
    names = [name for names in rooms_file.COLUMN_NAMES.values() for name in names]
    return BookingsFile(source, column_names=names)


def _indexes(file: BookingsFile, settings: Mapping[str, Any]) -> dict[str, int]:
    """Return the column index of each field.

    If staff have not chosen the columns, the header determines the columns.
    """
    if not (chosen := settings.get("columns")):
        return rooms_file.detect_columns(file.header)
    return {field: file.header.index(column) for field, column in chosen.items() if column in file.header}

"""The import of bookings from an uploaded file.

The admin pages and the worker use this module to call the package `reservations.importing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from django.utils import translation

from hotelagent.core.messages import TranslatableMessage
from reminders.file_imports.kinds import (
    AmbiguousDate,
    FileColumn,
    FileContent,
    ImportField,
    Progress,
    StatusWord,
    Work,
    describe_format,
)
from reminders.file_imports.problems import Problem
from reminders.models import FileImport
from reminders.reservations.importing.columns.fields import FIELDS
from reminders.reservations.importing.columns.profiles import built_in_profiles
from reminders.reservations.importing.files import BookingsFile
from reminders.reservations.importing.importer import Importer
from reminders.reservations.importing.inspection import ImportOptions, inspect_file
from reminders.reservations.importing.report import ImportReport
from reminders.reservations.importing.values.dates import DateOrder
from reminders.reservations.importing.values.errors import Reason, RowError

#: Maps the name of each vendor's profile to the title that users see.
PROFILES: Mapping[str, str] = {name: profile.title for name, profile in built_in_profiles().items()}


class ReservationFiles:
    """The implementation of the interface `Kind` for files of reservations.

    Such a file has a row for each booking, or for each room of a booking.
    """

    fields = tuple(
        ImportField(known.name, known.label, known.is_required, is_joinable=known.name == "guest_name")
        for known in FIELDS.values()
    )

    def inspect(self, stream: BinaryIO, uploaded: FileImport) -> FileContent:
        file = BookingsFile(stream, name=uploaded.file_name)
        found = inspect_file(file, _options(uploaded.settings))
        return FileContent(
            format=describe_format(file),
            row_count=found.row_count,
            columns=[
                FileColumn(column.name, column.samples, column.fields[0] if column.fields else "")
                for column in found.columns
            ],
            missing=found.missing,
            profile=found.profile.name if found.profile else "",
            profile_title=found.profile.title if found.profile else "",
            ambiguous_dates=[
                AmbiguousDate(
                    dates.column,
                    dates.example,
                    dates.readings[DateOrder.DAY_FIRST].isoformat(),
                    dates.readings[DateOrder.MONTH_FIRST].isoformat(),
                )
                for dates in found.ambiguous_dates
            ],
            statuses=[StatusWord(word.word, word.rows, word.status or "") for word in found.statuses],
            hotels=found.hotels,
        )

    def process(self, stream: BinaryIO, claimed: FileImport, work: Work) -> Progress:
        pending: list[Problem] = []

        def progress(report: ImportReport) -> Progress:
            total_rows = max(report.rows, claimed.inspection["row_count"])
            return Progress(report.rows, total_rows, _counts(report), tuple(pending))

        def save(report: ImportReport) -> None:
            work.save(progress(report))
            pending.clear()

        stored = claimed.counts.get("report")
        resumed = ImportReport.from_json(stored) if stored else None
        importer = Importer(
            BookingsFile(stream, name=claimed.file_name),
            _options(claimed.settings, dry_run=work.is_dry_run),
            on_error=lambda error: pending.append(_problem(error)),
            on_progress=lambda _done, _total: work.check_time(),
            on_batch=save,
        )
        return progress(importer.run(resumed=resumed))


def _options(settings: Mapping[str, Any], *, dry_run: bool = False) -> ImportOptions:
    return ImportOptions(
        profile=built_in_profiles().get(settings.get("profile", "")),
        property_name=settings.get("property", ""),
        columns=settings.get("columns", {}),
        statuses=settings.get("statuses", {}),
        date_format=settings.get("date_format", ""),
        dry_run=dry_run,
    )


def _problem(error: RowError) -> Problem:
    with translation.override("en"):
        # A problem is stored with the English label, which is the msgid of the translations.
        msgid = str(Reason(error.reason).label)
    return Problem(
        line=error.line,
        number=error.number,
        reason=TranslatableMessage(msgid),
        column=error.column,
        value=error.value,
        detail=error.detail,
        is_rejected=error.is_rejected,
    )


def _counts(report: ImportReport) -> dict[str, Any]:
    """Return the counts that the admin page of the import shows, together with the whole report.

    The whole report is stored because an interrupted import continues counting from the stored report.
    """
    return {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "rejected": report.rejected.total(),
        "incomplete": report.left_out.total(),
        "rooms_created": report.rooms_created,
        "reminders": report.reminders.scheduled,
        "report": report.as_json(),
    }

"""The services for uploaded files: staff and API clients can upload, check, import, stop and delete a file.

Each service runs in one transaction, and changes the status only if the current status allows the operation. The import
itself is in `worker.py`.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from audit.services import record, record_deletion
from hotelagent.core.text import single_line
from reminders import due_kinds, events
from reminders.errors import FileImportNotFound, FileImportStateError, InvalidFile
from reminders.file_imports.bulk import BulkFiles
from reminders.file_imports.calendars import CalendarFiles
from reminders.file_imports.kinds import Kind, open_content
from reminders.file_imports.reservations import ReservationFiles
from reminders.file_imports.rooms import RoomFiles
from reminders.models import FileImport, ImportKind, ImportStatus
from tenants.context import current_actor
from tenants.database.clock import database_now
from tenants.queue import due
from tenants.queue.celery_task import send_on_commit
from tenants.unaudited import unaudited

#: The maximum size of an uploaded file in bytes. The limit is below the 10 MB that the reverse proxy accepts.
MAX_FILE_SIZE = 8_000_000
#: The maximum size of an uncompressed file in bytes. A small compressed file can contain a very large file.
MAX_UNPACKED_SIZE = 50_000_000
#: An uploaded file and its report contain guests' data, so they are deleted after this number of days.
DAYS_UNTIL_DELETION = 7
KINDS: Mapping[str, Kind] = {
    ImportKind.RESERVATIONS: ReservationFiles(),
    ImportKind.ROOMS: RoomFiles(),
    ImportKind.CALENDAR: CalendarFiles(),
    ImportKind.BULK: BulkFiles(),
}
#: The name of the Celery task that checks and imports files.
TASK = "reminders.tasks.run_file_import"
#: If the task has not started after this time, its message may be lost, so the dispatcher of due items sends it again.
_RESEND_AFTER = timedelta(seconds=15)


def upload_file(*, kind: ImportKind, name: str, content: bytes) -> FileImport:
    """Store an uploaded file and its recognized columns. Raises InvalidFile if the file can't be read."""
    if len(content) > MAX_FILE_SIZE or _unpacked_size(content) > MAX_UNPACKED_SIZE:
        raise InvalidFile(
            _(
                "The file is too large. The limit is {limit} MB, and {unpacked} MB for the content of a compressed "
                "file or workbook. Save a workbook as CSV, or export a shorter period."
            ).format(limit=MAX_FILE_SIZE // 1_000_000, unpacked=MAX_UNPACKED_SIZE // 1_000_000)
        )
    uploaded = FileImport(
        kind=kind,
        file_name=single_line(name)[:200] or "-",
        file_size=len(content),
        content=zlib.compress(content),
        **_actor_fields(),
    )
    found = KINDS[kind].inspect(open_content(uploaded), uploaded)
    uploaded.inspection, uploaded.total_rows = found.as_json(), found.row_count
    with transaction.atomic():
        uploaded.save(force_insert=True)
        record(events.IMPORT_UPLOADED, subject=_subject(uploaded), **_event_fields(uploaded))
    return uploaded


@unaudited("Only the start of an import changes the hotel's data, and is recorded.")
def change_settings(uploaded: FileImport, *, settings: Mapping[str, Any]) -> None:
    """Store the settings for reading the file, inspect the file with these settings, and store the inspection.

    The result of an earlier check is deleted. Raises InvalidFile, and FileImportStateError unless the file is uploaded
    or checked.
    """
    uploaded.settings = dict(settings)
    uploaded.inspection = KINDS[uploaded.kind].inspect(open_content(uploaded), uploaded).as_json()
    _change_status(
        uploaded,
        ImportStatus.UPLOADED,
        expected=(ImportStatus.UPLOADED, ImportStatus.CHECKED),
        settings=settings,
        inspection=uploaded.inspection,
        error=None,
        **_FIRST_ROW,
    )


@unaudited("Only the start of an import changes the hotel's data, and is recorded.")
def request_check(uploaded: FileImport) -> None:
    """Start the check of an uploaded file. A worker checks all rows and stores none of them.

    Raises FileImportStateError if the status of the file is not UPLOADED.
    """
    with transaction.atomic():
        _change_status(
            uploaded, ImportStatus.CHECKING, expected=(ImportStatus.UPLOADED,), error=None, **_FIRST_ROW
        )
        enqueue(uploaded.id)


def start_import(uploaded: FileImport) -> None:
    """Let a worker import the checked file.

    Raises FileImportStateError if the status of the file is not CHECKED.
    """
    _start(uploaded, expected=ImportStatus.CHECKED)


def import_file(*, kind: ImportKind, name: str, content: bytes) -> FileImport:
    """Store an uploaded file, and let a worker import it without a check.

    Only files without columns can be imported without a check. Raises InvalidFile if the file can't be read.
    """
    with transaction.atomic():
        uploaded = upload_file(kind=kind, name=name, content=content)
        _start(uploaded, expected=ImportStatus.UPLOADED)
    uploaded.refresh_from_db(fields=["created_at", "started_at"])
    return uploaded


def _start(uploaded: FileImport, *, expected: ImportStatus) -> None:
    with transaction.atomic():
        _change_status(
            uploaded,
            ImportStatus.IMPORTING,
            expected=(expected,),
            started_at=Now(),
            error=None,
            **_actor_fields(),
            **_FIRST_ROW,
        )
        record(
            events.IMPORT_STARTED,
            subject=_subject(uploaded),
            **_event_fields(uploaded),
            rows=uploaded.total_rows,
        )
        enqueue(uploaded.id)


@unaudited("The start of the import was recorded.")
def resume(uploaded: FileImport) -> None:
    """Let a worker continue a check or an import that an error interrupted.

    Raises FileImportStateError if the status of the file is neither CHECKING nor IMPORTING.
    """
    with transaction.atomic():
        _change_status(uploaded, uploaded.status, expected=(ImportStatus.CHECKING, ImportStatus.IMPORTING))
        enqueue(uploaded.id)


def stop(uploaded: FileImport) -> None:
    """Stop a check or an import. Rows that have already been imported are kept.

    The worker notices the new status at the end of its current batch, and rolls the batch back. Raises
    FileImportStateError if the status of the file is neither CHECKING nor IMPORTING.
    """
    is_import = uploaded.status == ImportStatus.IMPORTING
    with transaction.atomic():
        _change_status(
            uploaded,
            ImportStatus.STOPPED if is_import else ImportStatus.UPLOADED,
            expected=(ImportStatus.IMPORTING,) if is_import else (ImportStatus.CHECKING,),
            error=None,
            finished_at=Now() if is_import else None,
        )
        due.cancel(kind=due_kinds.FILE_IMPORT, ids=[uploaded.id])
        if is_import:
            uploaded.refresh_from_db(fields=["finished_rows"])
            record(
                events.IMPORT_STOPPED,
                subject=_subject(uploaded),
                **_event_fields(uploaded),
                rows=uploaded.finished_rows,
            )


def delete(uploaded: FileImport) -> None:
    """Delete the uploaded file and its report. The rows that were imported are kept.

    Raises FileImportStateError while a worker checks or imports the file.
    """
    with transaction.atomic():
        deletable = FileImport.objects.filter(id=uploaded.id).exclude(
            status__in=[ImportStatus.CHECKING, ImportStatus.IMPORTING]
        )
        if not deletable.delete()[0]:
            raise _state_error(uploaded)
        record(events.IMPORT_DELETED, subject=_subject(uploaded), **_event_fields(uploaded))


def delete_expired_files() -> int:
    """Delete all files that were uploaded more than `DAYS_UNTIL_DELETION` days ago, and return their number."""
    before = database_now() - timedelta(days=DAYS_UNTIL_DELETION)
    expired = FileImport.objects.filter(created_at__lt=before)
    with transaction.atomic():
        ids = list(expired.values_list("id", flat=True))
        due.cancel(kind=due_kinds.FILE_IMPORT, ids=ids)
        deleted = FileImport.objects.filter(id__in=ids).delete()[0]
        record_deletion(kind="fileimport", count=deleted, before=before)
    return deleted


def enqueue(import_id: UUID) -> None:
    """Send the task that checks or imports the file when the caller's transaction commits.

    If the broker loses the message, the dispatcher of due items sends the task again.
    """
    due.schedule(kind=due_kinds.FILE_IMPORT, items=[(import_id, database_now() + _RESEND_AFTER)])
    send_on_commit(TASK, [str(import_id)])


def _unpacked_size(content: bytes) -> int:
    """Return the size of the uncompressed file in bytes. Reading ends when the size exceeds the limit."""
    size = 0
    try:
        if content.startswith(b"PK"):  # an Excel workbook is a zip archive
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return sum(entry.file_size for entry in archive.infolist())
        if not content.startswith(b"\x1f\x8b"):
            return len(content)
        with gzip.open(io.BytesIO(content)) as stream:
            while size <= MAX_UNPACKED_SIZE and (block := stream.read(1 << 20)):
                size += len(block)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InvalidFile(
            _(
                "The compressed file is damaged. Compress the original file again, or upload it without compression."
            )
        ) from error
    return size


#: The values of the progress fields when a check or an import starts with the first row of the file.
_FIRST_ROW: Mapping[str, Any] = {
    "finished_rows": 0,
    "counts": {},
    "problems": b"",
}


def _change_status(
    uploaded: FileImport, status: str, *, expected: tuple[ImportStatus, ...], **values: Any
) -> None:
    """Store a new status and other values of the file. If a worker has a lease on the file, the lease ends.

    Raises FileImportStateError if the current status is not in `expected`.
    """
    changed = FileImport.objects.filter(id=uploaded.id, status__in=expected).update(
        status=status, lease_number=F("lease_number") + 1, lease_ends_at=None, **values
    )
    if not changed:
        raise _state_error(uploaded)
    uploaded.status = status


def _state_error(uploaded: FileImport) -> FileImportNotFound | FileImportStateError:
    current = FileImport.objects.filter(id=uploaded.id).only("status").first()
    if current is None:
        return FileImportNotFound(_("The file was deleted."))
    detail = _("The status of the file is “{status}”. Reload the page.").format(
        status=current.get_status_display()
    )
    return FileImportStateError(detail, status_now=current.status)


def _actor_fields() -> dict[str, str]:
    """Return the fields that identify the member of staff or the API key that acts on a file."""
    actor = current_actor()
    return {"staff_kind": actor.kind, "staff_id": actor.id, "staff_name": actor.label}


def _subject(uploaded: FileImport) -> tuple[str, UUID]:
    """Return the model name and the id of the file, which identify the file in audit events."""
    return uploaded.admin_model, uploaded.id


def _event_fields(uploaded: FileImport) -> dict[str, str]:
    return {"file": uploaded.file_name, "kind": uploaded.kind}


@unaudited("The erasure of the member of staff is recorded.")
def erase_staff_member(user_id: str) -> int:
    """Erase the name of a member of staff from the files that the person has uploaded. Return the number of files."""
    return FileImport.objects.filter(staff_id=user_id).update(staff_name="")

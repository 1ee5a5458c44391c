"""The check and the import of an uploaded file by a Celery worker.

A worker that processes a file has a lease on the file. Each batch of rows is stored in one transaction with the number
of finished rows. A worker that takes over after a crash therefore continues with the first row that is not stored.
"""

from __future__ import annotations

import contextlib
import logging
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import BinaryField, F, Func, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from hotelagent.core.messages import TranslatableMessage, message_to_json
from reminders import due_kinds
from reminders.errors import InvalidFile
from reminders.file_imports import problems
from reminders.file_imports.error_messages import error_message
from reminders.file_imports.kinds import Progress, open_content
from reminders.file_imports.services import KINDS, enqueue
from reminders.models import ACTIVE_STATUSES, FileImport, ImportStatus
from tenants.context import Actor, actor_context, changed_actor
from tenants.database.clock import database_now
from tenants.queue import due
from tenants.unaudited import unaudited

logger = logging.getLogger(__name__)

#: The duration of a worker's lease on a file that the worker checks or imports.
#: The worker renews the lease after each batch of rows, so the lease is longer than a batch takes.
#: If the lease expires, another worker takes over the file.
LEASE = timedelta(seconds=120)
#: After this number of seconds, a worker stops between two batches and continues the import in a new Celery task.
#: TIME_LIMIT must be less than CELERY_TASK_SOFT_TIME_LIMIT, which limits the duration of each task.
TIME_LIMIT = 120.0

_INTERRUPTED = gettext_noop(
    "The file could not be processed because of an unexpected error. The next attempt starts automatically, and "
    "the operators can see the error."
)


class LeaseLost(Exception):
    """The worker no longer has the lease of the file, because staff stopped the import or another worker took over."""


class TimeUp(Exception):
    """The worker has reached its time limit. A new task processes the rest of the file."""


@unaudited("The import of each kind of file records what it imported.")
def run(import_id: UUID) -> None:
    """Check or import a file, depending on its status. Do nothing if another worker is processing the file.

    An error in the content of the file is stored, so that staff can see the error. Other errors are raised, so that the
    dead-letter queue records the failure and retries the task.
    """
    claimed = _claim(import_id)
    if claimed is None:
        return
    work = _Work(claimed)
    # The member of staff or the API key that started the import is the initiator of all changes of the worker.
    starter = Actor(
        kind="key" if claimed.staff_kind == "key" else "user",
        id=claimed.staff_id,
        label=claimed.staff_name,
    )
    try:
        with actor_context(changed_actor(initiator=starter)):
            last = KINDS[claimed.kind].process(open_content(claimed), claimed, work)
        work.finish(last)
    except LeaseLost:
        logger.info("import.lease_lost")
    except TimeUp:
        work.hand_over()
    except InvalidFile as error:
        work.fail(error_message(error))
    except Exception:
        # If the database is unavailable, the dispatcher of due items sends the task again when the worker's lease ends.
        with contextlib.suppress(DatabaseError):
            work.interrupt()
        raise


def _claim(import_id: UUID) -> FileImport | None:
    """Acquire the lease of the file, so that no other worker processes the file.

    Return None if another worker has the lease, or if the file does not have to be checked or imported.
    """
    with transaction.atomic():
        active = FileImport.objects.filter(id=import_id, status__in=ACTIVE_STATUSES)
        free = Q(lease_ends_at__isnull=True) | Q(lease_ends_at__lt=Now())
        if active.filter(free).update(
            lease_number=F("lease_number") + 1, lease_ends_at=Now() + LEASE, error=None
        ):
            # If this worker stops, the dispatcher of due items sends the task again when the worker's lease ends.
            due.schedule(kind=due_kinds.FILE_IMPORT, items=[(import_id, database_now() + LEASE)])
            return FileImport.objects.get(id=import_id)
        if not active.exists():
            due.cancel(kind=due_kinds.FILE_IMPORT, ids=[import_id])
    return None


def _progress_fields(progress: Progress) -> dict[str, Any]:
    """Return the progress of a check or an import as values for the fields of `FileImport`."""
    values: dict[str, Any] = {
        "finished_rows": progress.finished_rows,
        "total_rows": progress.total_rows,
        "counts": progress.counts,
    }
    if compressed := problems.compress(progress.new_problems):
        values["problems"] = _append("problems", compressed)
    return values


def _append(column: str, content: bytes) -> Func:
    """Return an SQL expression that appends bytes to a column. Django's Concat would convert the bytes to text."""
    return Func(
        F(column),
        Value(content),
        template="%(expressions)s",
        arg_joiner=" || ",
        output_field=BinaryField(),
    )


class _Work:
    """The check or the import of one file by a worker.

    The methods store the worker's progress in the database, and release the file when the worker stops.
    """

    def __init__(self, claimed: FileImport) -> None:
        self._claimed = claimed
        self._started = time.monotonic()
        self._is_import = claimed.status == ImportStatus.IMPORTING

    @property
    def is_dry_run(self) -> bool:
        return not self._is_import

    def save(self, progress: Progress) -> None:
        """Store the progress and extend the lease, in the transaction that stores the rows. Raises LeaseLost."""
        self._update(lease_ends_at=Now() + LEASE, **_progress_fields(progress))
        due.schedule(kind=due_kinds.FILE_IMPORT, items=[(self._claimed.id, database_now() + LEASE)])

    def check_time(self) -> None:
        """Raise TimeUp if the worker should not start another batch. Call this method outside of a transaction."""
        if time.monotonic() - self._started > TIME_LIMIT:
            raise TimeUp

    def finish(self, last: Progress) -> None:
        """Store the final progress. Set the status to `finished` after an import, or to `checked` after a check."""
        status = ImportStatus.FINISHED if self._is_import else ImportStatus.CHECKED
        self._end(status=status, finished_at=Now() if self._is_import else None, **_progress_fields(last))

    def fail(self, detail: str) -> None:
        """Store the reason why the file can't be read.

        The status becomes UPLOADED again, so staff can change the settings with which the file is read.
        """
        self._end(status=ImportStatus.UPLOADED, error=message_to_json(detail))

    def interrupt(self) -> None:
        """Release the lease after an unexpected error. The dead-letter queue sends the task again."""
        self._end(error=message_to_json(TranslatableMessage(_INTERRUPTED)))

    def hand_over(self) -> None:
        """Release the lease, and enqueue a new task that continues with the remaining rows of the file."""
        with contextlib.suppress(LeaseLost), transaction.atomic():
            self._update(lease_ends_at=None)
            enqueue(self._claimed.id)

    def _end(self, **values: Any) -> None:
        with contextlib.suppress(LeaseLost), transaction.atomic():
            self._update(lease_ends_at=None, **values)
            due.cancel(kind=due_kinds.FILE_IMPORT, ids=[self._claimed.id])

    def _update(self, **values: Any) -> None:
        own = FileImport.objects.filter(
            id=self._claimed.id, status=self._claimed.status, lease_number=self._claimed.lease_number
        )
        if not own.update(**values):
            raise LeaseLost

"""The daily clean-up of failures.

The clean-up deletes old failures, and marks a failure as in doubt if its retry was lost. The personal data of a closed
failure are deleted earlier than the failure, so that people can still see what failed. `FailureSettings` contains both
periods.
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from audit.services import record, record_deletion
from dlq import events
from dlq.models import CLOSED_STATUSES, Attempt, Failure, FailureStatus
from dlq.policy import FAILURE_DUE
from dlq.retention import pauses
from dlq.retention.models import CleanUpProgress, FailureSettings
from hotelagent.core.ids import first_uuid7_at
from tenants.context import current_tenant
from tenants.database.clock import database_now

#: The number of failures that one transaction of the clean-up processes.
BATCH_SIZE = 500
_FIRST_ID = UUID(int=0)

_WITHOUT_DUE_ITEM = """
SELECT failure.id
FROM dlq_failure AS failure
WHERE failure.status IN ('scheduled', 'retrying') AND NOT EXISTS (
    SELECT FROM public.tenants_dueitem AS item
    WHERE item.hotel_id = %s AND item.kind = %s AND item.item_id = failure.id)
ORDER BY failure.id
FOR UPDATE
"""

_DELETE_GROUPS = """
DELETE FROM dlq_failuregroup AS unused
WHERE unused.last_seen_at < %s
  AND unused.joined_to IS NULL AND unused.split_from IS NULL AND unused.splits IS NULL AND unused.note = ''
  AND NOT EXISTS (SELECT FROM dlq_failuregroup AS joined WHERE joined.joined_to = unused.fingerprint)
  AND NOT EXISTS (SELECT FROM dlq_failure AS failure WHERE failure.fingerprint = unused.fingerprint)
"""


def clean_up() -> None:
    """Mark failures as in doubt if their retry was lost, and delete old failures and old personal data."""
    end_lost_retries()
    pauses.release()
    settings = FailureSettings.objects.read()
    now = database_now()
    _delete_personal_data(before=now - datetime.timedelta(days=settings.keep_payload_days))
    keep_until = now - datetime.timedelta(days=settings.keep_failure_days)
    _delete_failures(before=keep_until)
    _delete_unused_groups(before=keep_until)


def end_lost_retries() -> int:
    """Mark the hotel's failures whose retry is missing from the due queue as in doubt. Return the number of these
    failures.

    `restore_hotel --discard-due` deletes overdue retries from the due queue, because their work may have been done
    after the backup. A person decides about these failures, because another retry could do the work twice.
    """
    tenant = current_tenant()
    if tenant.is_platform:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_WITHOUT_DUE_ITEM, [tenant.id, FAILURE_DUE])
        for (failure_id,) in (rows := cursor.fetchall()):
            Failure.objects.filter(id=failure_id).update(
                status=FailureStatus.IN_DOUBT, next_retry_at=None, claimed_until=None
            )
            name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
            record(events.IN_DOUBT, subject=("failure", failure_id), name=name)
    return len(rows)


def delete_personal_data_of(failure_ids: Sequence[UUID], **changes: Any) -> None:
    """Delete the payloads and the texts of failures and of their attempts, in the caller's transaction.

    `changes` are the new values of other columns of the failures.
    """
    Failure.objects.filter(id__in=failure_ids).update(
        payload={},
        corrected_payload=None,
        corrected_secrets=None,
        original=None,
        original_type="",
        secrets=None,
        error_message="",
        translatable_message=None,
        **{"discard_reason": "", **changes},
    )
    _attempts(failure_ids).exclude(error_message="").update(error_message="", translatable_message=None)


def _delete_personal_data(*, before: datetime.datetime) -> None:
    """Delete the personal data of failures that were closed before the time `before`.

    Failures whose personal data were deleted by an earlier clean-up (see `CleanUpProgress`) are not read again.
    """
    remaining = CleanUpProgress.objects.read().remaining
    kept = [
        failure_id
        for start in range(0, len(remaining), BATCH_SIZE)
        for failure_id in _clean(remaining[start : start + BATCH_SIZE], before)
    ]
    if kept != remaining:
        with transaction.atomic():
            _store_progress(CleanUpProgress.objects.lock(), remaining=kept)
    while _clean_next_batch(before):
        pass


def _clean_next_batch(before: datetime.datetime) -> bool:
    """Delete the personal data of the next batch of failures, oldest first.

    Return False if all failures up to `before` have been processed.
    """
    with transaction.atomic():
        progress = CleanUpProgress.objects.lock()
        start = progress.cleaned_before or _FIRST_ID
        # Ids begin with the time of creation, and a failure is always created before it is closed.
        # This range of ids contains all unread failures that were closed before the time `before`.
        unread = Failure.objects.filter(id__gte=start, id__lt=first_uuid7_at(before)).order_by("id")
        ids = list(unread.values_list("id", flat=True)[:BATCH_SIZE])
        if ids:
            _store_progress(
                progress,
                remaining=[*progress.remaining, *_clean(ids, before)],
                cleaned_before=UUID(int=ids[-1].int + 1),
            )
    return bool(ids)


def _store_progress(progress: CleanUpProgress, **changes: Any) -> None:
    CleanUpProgress.objects.filter(id=progress.id).update(**changes)


def _clean(ids: Sequence[UUID], before: datetime.datetime) -> list[UUID]:
    """Delete the personal data of the failures with these ids that were closed before the time `before`.

    Return the ids of the failures that are still open or were closed later. The next clean-up checks these failures
    again.
    """
    with transaction.atomic():
        existing = Failure.objects.filter(id__in=ids).order_by("id")
        closed = list(_closed(existing, before).filter(_has_personal_data()).values_list("id", flat=True))
        delete_personal_data_of(closed)
        record_deletion(kind="failuredata", count=len(closed), before=before)
        return list(existing.exclude(_is_closed(before)).values_list("id", flat=True))


def _delete_failures(*, before: datetime.datetime) -> None:
    """Delete the failures that were closed before this time, with their attempts."""
    last, ids = _FIRST_ID, [_FIRST_ID]
    while ids:
        old = Failure.objects.filter(id__gt=last, id__lt=first_uuid7_at(before)).order_by("id")
        ids = list(old.values_list("id", flat=True)[:BATCH_SIZE])
        with transaction.atomic():
            closed = list(_closed(Failure.objects.filter(id__in=ids), before).values_list("id", flat=True))
            _attempts(closed).delete()
            Failure.objects.filter(id__in=closed).delete()
            record_deletion(kind="failure", count=len(closed), before=before)
        last = ids[-1] if ids else last


def _is_closed(before: datetime.datetime) -> Q:
    return Q(status__in=CLOSED_STATUSES, closed_at__lt=before)


def _closed(failures: QuerySet[Failure], before: datetime.datetime) -> QuerySet[Failure]:
    return failures.filter(_is_closed(before))


def _has_personal_data() -> Q:
    return (
        ~Q(payload={})
        | Q(original__isnull=False)
        | Q(secrets__isnull=False)
        | Q(corrected_payload__isnull=False)
        | ~Q(error_message="")
        | ~Q(discard_reason="")
    )


def _attempts(failure_ids: Iterable[UUID]) -> QuerySet[Attempt]:
    return Attempt.objects.filter(failure_id__in=failure_ids)


def _delete_unused_groups(*, before: datetime.datetime) -> None:
    """Delete groups without failures if their latest error occurred before the time `before`.

    Groups with rules or notes are kept, because staff wrote them. The tracebacks of old
    attempts are stored in the groups, so these tracebacks are deleted too.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_DELETE_GROUPS, [before])
        record_deletion(kind="failuregroup", count=cursor.rowcount, before=before)

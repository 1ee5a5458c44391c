"""The daily clean-up of failures. It marks failures as in doubt if their retry was lost, and deletes old failures.

The personal data of a closed failure is deleted first. The rest is kept longer, so that people can see what failed.
"""

import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from audit.services import record
from dlq import events
from dlq.models import CLOSED_STATUSES, Attempt, Failure, FailureStatus
from dlq.retries import schedule
from hotelagent.core.ids import first_uuid7_at
from tenants.context import current_tenant
from tenants.database.clock import database_now

#: The payload and the messages of a failure are deleted this long after the failure was closed.
KEEP_PAYLOAD = datetime.timedelta(days=30)
#: A failure and its attempts are deleted this long after the failure was closed.
KEEP_FAILURE = datetime.timedelta(days=180)
BATCH_SIZE = 500

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
WHERE unused.created_at < %s
  AND NOT EXISTS (SELECT FROM dlq_failure AS failure WHERE failure.fingerprint = unused.fingerprint)
  AND NOT EXISTS (SELECT FROM dlq_attempt AS attempt WHERE attempt.fingerprint = unused.fingerprint)
"""


def clean_up() -> None:
    """Mark failures without a scheduled retry as in doubt, and delete old failures and old personal data."""
    end_lost_retries()
    now = database_now()
    while _delete_personal_data(before=now - KEEP_PAYLOAD):
        pass
    while _delete_failures(before=now - KEEP_FAILURE):
        pass
    _delete_unused_groups(before=now - KEEP_FAILURE)


def end_lost_retries() -> int:
    """Mark the hotel's failures whose retry is missing from the due queue as in doubt. Return their number.

    `restore_hotel --discard-due` leaves retries out of the due queue, because they may have been made after the backup.
    A person decides about these failures, because another retry could do the work twice.
    """
    tenant = current_tenant()
    if tenant.is_platform:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_WITHOUT_DUE_ITEM, [tenant.id, schedule.KIND])
        for (failure_id,) in (rows := cursor.fetchall()):
            Failure.objects.filter(id=failure_id).update(
                status=FailureStatus.IN_DOUBT, next_retry_at=None, claimed_until=None
            )
            name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
            record(events.IN_DOUBT, subject=("failure", failure_id), name=name)
    return len(rows)


def _delete_personal_data(*, before: datetime.datetime) -> int:
    """Delete the payload and the messages of a batch of failures that were closed before this time."""
    with transaction.atomic():
        has_data = ~Q(payload={}) | Q(original__isnull=False) | ~Q(error_message="") | ~Q(discard_reason="")
        ids = _closed(before=before, condition=has_data)
        Failure.objects.filter(id__in=ids).update(
            payload={},
            original=None,
            original_type="",
            error_message="",
            translatable_message=None,
            discard_reason="",
        )
        _attempts(ids).update(error_message="", translatable_message=None)
    return len(ids)


def _delete_failures(*, before: datetime.datetime) -> int:
    with transaction.atomic():
        ids = _closed(before=before)
        _attempts(ids).delete()
        Failure.objects.filter(id__in=ids).delete()
    return len(ids)


def _closed(*, before: datetime.datetime, condition: Q | None = None) -> list[UUID]:
    """Lock a batch of failures that were closed before this time, and return their ids.

    Ids begin with the time of creation, and every failure is created before it is closed. The condition on the id
    therefore lets the query use the primary key.
    """
    closed = Failure.objects.filter(
        id__lt=first_uuid7_at(before), status__in=CLOSED_STATUSES, closed_at__lt=before
    )
    locked = closed.filter(condition or Q()).order_by("id").select_for_update(skip_locked=True)
    return list(locked.values_list("id", flat=True)[:BATCH_SIZE])


def _attempts(failure_ids: list[UUID]) -> QuerySet[Attempt]:
    return Attempt.objects.filter(failure_id__in=failure_ids)


def _delete_unused_groups(*, before: datetime.datetime) -> None:
    """Delete groups that were created before this time and that have no failures or attempts any more."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_GROUPS, [before])

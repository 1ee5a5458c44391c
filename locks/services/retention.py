"""Deletion of ended holds, waiting list entries and webhook deliveries after `policy.DAYS_UNTIL_DELETION` days.

The audit trail keeps the events of the deleted records, and each transaction records how many records it deletes.
"""

import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from audit.services import record_deletion
from hotelagent.core.ids import first_uuid7_at
from locks import policy
from locks.models import Allocation, AllocationStatus
from locks.waiting_list.models import WaitingListEntry
from locks.webhooks.models import WebhookDelivery, WebhookDeliveryStatus
from locks.webhooks.services import delete_expired_secrets
from tenants.database.clock import database_now

BATCH_SIZE = 1000
#: The daily clean-up reads the holds that were created within this period before the time from which records are kept.
#: The clean-up reads no older holds, because earlier clean-ups have deleted them.
MAX_AGE = datetime.timedelta(days=60)
#: Failed deliveries are kept longer than successful deliveries, because staff may send failed deliveries again.
KEEP_FAILED_DELIVERIES = datetime.timedelta(days=30)


def delete_ended_records() -> int:
    """Delete ended holds, waiting list entries and webhook deliveries. Return the number of deleted records.

    Webhook secrets that have expired are also deleted. Holds are deleted in batches of `BATCH_SIZE`, each in a separate
    transaction.
    """
    delete_expired_secrets()
    before = database_now() - datetime.timedelta(days=policy.DAYS_UNTIL_DELETION)
    old_deliveries = WebhookDelivery.objects.filter(
        Q(status=WebhookDeliveryStatus.SENT) | Q(created_at__lt=before - KEEP_FAILED_DELIVERIES),
        created_at__lt=before,
    )
    deleted = _delete(WaitingListEntry.objects.filter(ended_at__lt=before), before)
    deleted += _delete(old_deliveries, before)
    while batch := _delete_holds(before):
        deleted += batch
    return deleted


def _delete(records: QuerySet[Any], before: datetime.datetime) -> int:
    """Delete the rows and record their number in the audit trail, in one transaction. Return the number."""
    with transaction.atomic():
        count = records.delete()[0]
        record_deletion(kind=str(records.model._meta.model_name), count=count, before=before)
    return count


def _delete_holds(before: datetime.datetime) -> int:
    """Delete up to BATCH_SIZE ended holds that were created before this time, and return the number of deleted holds.

    Ids begin with the time of creation, so old holds are found with the index of the primary key.
    """
    with transaction.atomic():
        ended = Allocation.objects.filter(
            id__gte=first_uuid7_at(before - MAX_AGE),
            id__lt=first_uuid7_at(before),
            status__in=[AllocationStatus.RELEASED, AllocationStatus.EXPIRED],
        )
        ids = list(
            ended.order_by("id").select_for_update(skip_locked=True).values_list("id", flat=True)[:BATCH_SIZE]
        )
        _delete(Allocation.objects.filter(id__in=ids), before)
    return len(ids)

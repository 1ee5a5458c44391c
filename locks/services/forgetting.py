"""Forgetting what came to nothing: a row of it would stand for ever, while the trail keeps what happened."""

import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from locks import policy
from locks.models import Allocation, AllocationStatus
from locks.waiting_list.models import WaitingListEntry
from locks.webhooks.models import WebhookDelivery, WebhookDeliveryStatus
from locks.webhooks.services import delete_expired_secrets
from tenants.database.clock import database_now

BATCH = 1000
#: How far back the daily look goes: what it costs is some weeks of stays, however many years the hotel has.
REACH = datetime.timedelta(days=60)
#: What was not taken is kept for people while they may still have it sent again.
KEEP_FAILED = datetime.timedelta(days=30)


def delete_ended_records() -> int:
    """Delete ended holds, waits and notices past their days, in transactions of `BATCH`; returns how many.

    Secrets that were rotated out go too.
    """
    now = database_now()
    delete_expired_secrets()
    before = now - datetime.timedelta(days=policy.KEEP_ENDED_DAYS)
    forgotten = WaitingListEntry.objects.filter(ended_at__lt=before).delete()[0]
    forgotten += WebhookDelivery.objects.filter(
        Q(status=WebhookDeliveryStatus.SENT) | Q(created_at__lt=before - KEEP_FAILED), created_at__lt=before
    ).delete()[0]
    while batch := _forget_holds(before):
        forgotten += batch
    return forgotten


def _forget_holds(before: datetime.datetime) -> int:
    """Their keys are the time they were made at, and no hold lives for an hour: the key's index finds them."""
    with transaction.atomic():
        ended = Allocation.objects.filter(
            id__gte=_first_key(before - REACH),
            id__lt=_first_key(before),
            status__in=[AllocationStatus.RELEASED, AllocationStatus.EXPIRED],
        )
        ids = list(
            ended.order_by("id").select_for_update(skip_locked=True).values_list("id", flat=True)[:BATCH]
        )
        Allocation.objects.filter(id__in=ids).delete()
    return len(ids)


def _first_key(moment: datetime.datetime) -> UUID:
    """The smallest UUID of version 7 of this moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62)

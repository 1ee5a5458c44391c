"""Queries that return failures of the current hotel or of the platform."""

import uuid

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from dlq.models import EXTERNAL, WAITING_STATUSES, Failure, FailureStatus
from dlq.redrives.models import ACTIVE_STATUSES, Redrive
from dlq.retention.models import FailureSettings


def waiting_failures(*, fingerprint: str) -> QuerySet[Failure]:
    """Return the failures with this fingerprint that can be retried or discarded, oldest first."""
    return Failure.objects.filter(fingerprint=fingerprint, status__in=WAITING_STATUSES).order_by("id")


def due_failures(*, limit: int) -> list[uuid.UUID]:
    """Return the ids of at most `limit` failures whose retry is due or whose attempt was lost, oldest first.

    Failures whose retries are paused are left out. Failures that other systems process are due when they expire.
    """
    settings = FailureSettings.objects.read()
    if settings.is_paused:
        return []
    is_due = Q(next_retry_at__lte=Now()) & ~Q(name__startswith=EXTERNAL) | Q(expires_at__lte=Now())
    scheduled = Failure.objects.filter(is_due, status=FailureStatus.SCHEDULED)
    expired = Failure.objects.filter(status=FailureStatus.RETRYING, claimed_until__lt=Now())
    due = (scheduled | expired).exclude(name__in=settings.paused_kinds)
    return list(due.order_by("id").values_list("id", flat=True)[:limit])


def active_redrives() -> list[uuid.UUID]:
    """Return the ids of the redrives that make progress, oldest first."""
    return list(
        Redrive.objects.filter(status__in=ACTIVE_STATUSES).order_by("id").values_list("id", flat=True)
    )

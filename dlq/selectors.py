"""Reading failures."""

import uuid

from django.db.models import QuerySet
from django.db.models.functions import Now

from dlq.models import Failure, Status
from dlq.services import WAITING


def waiting(*, fingerprint: str) -> QuerySet[Failure]:
    """The failures of a group that can be retried or discarded, oldest first."""
    return Failure.objects.filter(fingerprint=fingerprint, status__in=WAITING).order_by("id")


def due(*, limit: int) -> list[uuid.UUID]:
    """Failures that are due, or whose claim has lapsed, of the tenant that is set; the oldest first."""
    scheduled = Failure.objects.filter(status=Status.SCHEDULED, next_retry_at__lte=Now())
    lapsed = Failure.objects.filter(status=Status.RETRYING, claimed_until__lt=Now())
    return list((scheduled | lapsed).order_by("id").values_list("id", flat=True)[:limit])

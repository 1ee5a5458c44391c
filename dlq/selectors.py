"""Reading failures."""

import uuid

from django.db.models import Count, Max, Min, QuerySet, Sum
from django.db.models.functions import Now

from dlq.models import Failure, Status
from dlq.services import WAITING


def waiting(*, fingerprint: str) -> QuerySet[Failure]:
    """The failures of a group that can be retried or discarded, oldest first."""
    return Failure.objects.filter(fingerprint=fingerprint, status__in=WAITING).order_by("id")


def due(*, limit: int) -> list[uuid.UUID]:
    """Failures that are due, or whose claim has lapsed, of the scope that is set; the oldest first."""
    scheduled = Failure.objects.filter(status=Status.SCHEDULED, next_retry_at__lte=Now())
    lapsed = Failure.objects.filter(status=Status.RETRYING, claimed_until__lt=Now())
    return list((scheduled | lapsed).order_by("id").values_list("id", flat=True)[:limit])


def groups() -> QuerySet[Failure, dict[str, object]]:
    """One row a fingerprint and status: how many, how often seen, since when and until when."""
    return (
        Failure.objects.values("fingerprint", "name", "error_type", "status")
        .annotate(
            count=Count("id"), seen=Sum("occurrences"), first=Min("created_at"), last=Max("last_seen_at")
        )
        .order_by("-last")
    )

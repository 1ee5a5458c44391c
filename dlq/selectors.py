"""Queries that return failures of the current hotel or of the platform."""

import uuid
from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.db.models.lookups import IsNull

from dlq.groups.models import FailureGroup
from dlq.kinds.availability import has_code
from dlq.models import EXTERNAL, WAITING_STATUSES, BlockingFailure, Failure, FailureStatus
from dlq.redrives.models import ACTIVE_STATUSES, Redrive
from dlq.retention.models import FailureSettings

_IS_NOT_BLOCKED = Q(ordering_key="") | Q(IsNull(BlockingFailure(), True))


def waiting_failures(*, fingerprint: str) -> QuerySet[Failure]:
    """Return the failures with this fingerprint that can be retried or discarded, oldest first."""
    return Failure.objects.filter(fingerprint=fingerprint, status__in=WAITING_STATUSES).order_by("id")


def due_failures(*, limit: int) -> list[uuid.UUID]:
    """Return the ids of at most `limit` failures that a worker must check, in the order of their due times.

    A worker must check a failure if its retry is due, if its attempt was lost, or if it is too old for automatic
    retries.

    Paused failures are left out, and so are failures that wait for an older failure with the same ordering key.
    Failures that this version of the application has no code for, and failures that other systems process, are due only
    when they expire. So failures that this worker cannot retry do not delay other failures.
    """
    settings = FailureSettings.objects.read()
    if settings.is_paused:
        return []
    scheduled = Q(status=FailureStatus.SCHEDULED)
    due = scheduled & Q(next_retry_at__lte=Now()) & ~Q(name__startswith=EXTERNAL) & _IS_NOT_BLOCKED
    due &= ~Q(name__in=_names_without_code())
    lost = Q(status=FailureStatus.RETRYING, claimed_until__lt=Now())
    expired = scheduled & Q(expires_at__lte=Now())
    found = Failure.objects.filter(due | lost | expired).exclude(name__in=settings.paused_kinds)
    found = found.order_by(Coalesce("next_retry_at", "claimed_until"), "id")
    return list(found.values_list("id", flat=True)[:limit])


def _names_without_code() -> list[str]:
    """Return the names of failures for which this version of the application has no code.

    The names are read from the table of groups, which is much smaller than the table of failures.
    """
    names = FailureGroup.objects.order_by().values_list("name", flat=True).distinct()
    return [name for name in names if not has_code(Failure(name=name, is_task=True))]


#: `claimable_failures` reads this number of failures, and returns the failures with the earliest due times.
SAMPLE_SIZE = 200


def claimable_failures(*, names: Collection[str], limit: int) -> list[uuid.UUID]:
    """Return the ids of at most `limit` failures with these names that can be claimed.

    The failures that have been due for the longest time come first. Failures whose retries are paused are left out.

    If more than SAMPLE_SIZE failures can be claimed, the result comes from a random sample of SAMPLE_SIZE failures. The
    reason is that no index orders failures by the time at which they are due, and sorting 300,000 takes 0.4 seconds.
    Work keys are digests, so the index of open failures by work key, read from a random key on, gives a random sample.
    """
    settings = FailureSettings.objects.read()
    if settings.is_paused:
        return []
    due = Failure.objects.filter(
        _IS_NOT_BLOCKED,
        status=FailureStatus.SCHEDULED,
        name__in=set(names) - set(settings.paused_kinds),
        next_retry_at__lte=Now(),
        expires_at__gt=Now(),
    )
    start = uuid.uuid4().hex
    after, before = due.filter(work_key__gte=start), due.filter(work_key__lt=start)
    sample: list[tuple[Any, uuid.UUID]] = []
    for part in (after, before):
        missing = max(SAMPLE_SIZE, limit) - len(sample)
        sample += part.order_by("work_key").values_list("next_retry_at", "id")[:missing]
    return [failure_id for _at, failure_id in sorted(sample)[:limit]]


def active_redrives() -> list[uuid.UUID]:
    """Return the ids of the redrive jobs that are retrying or discarding failures, oldest first."""
    return list(
        Redrive.objects.filter(status__in=ACTIVE_STATUSES).order_by("id").values_list("id", flat=True)
    )

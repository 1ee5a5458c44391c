"""The results of redrive jobs: what a redrive did with each failure.

A retry that a worker has begun is stored as an attempt with the id of the redrive. Other results are stored on the
failure until a later redrive processes the failure.

No index contains the ids of redrives. The ids of attempts and failures begin with the time of their creation, so the
queries read a range of the primary key.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When

from dlq.models import Attempt, AttemptOutcome, Failure, FailureStatus
from dlq.redrives.models import Redrive, RedriveResult
from hotelagent.core.ids import first_uuid7_at

#: The maximum difference between the clocks of the servers that generate ids.
CLOCK_DIFFERENCE = timedelta(minutes=1)


def attempts_of(redrive: Redrive) -> QuerySet[Attempt]:
    """Return the attempts that the redrive job requested."""
    started = Attempt.objects.filter(
        redrive=redrive.id, id__gte=first_uuid7_at(redrive.started_at - CLOCK_DIFFERENCE)
    ).order_by()
    if redrive.ended_at:
        return started.filter(id__lt=first_uuid7_at(redrive.ended_at + CLOCK_DIFFERENCE))
    return started


def count_attempts(redrive: Redrive) -> Counter[str]:
    """Return how many attempts of the redrive job had each outcome."""
    return Counter(dict(attempts_of(redrive).values_list("outcome").annotate(Count("id"))))


@dataclass(frozen=True, slots=True)
class Entry:
    """The result of a redrive job for one failure.

    `attempt` is None if no worker has begun a retry for the redrive.
    """

    failure: Failure
    result: RedriveResult
    attempt: Attempt | None

    @property
    def pk(self) -> UUID:
        failure_id: UUID = self.failure.pk
        return failure_id


@dataclass(frozen=True, slots=True)
class Entries:
    """The failures of a redrive job, each with its result.

    If `results` is not empty, only failures with one of these results are included. The class has the methods
    that REST framework's pagination calls on a queryset.
    """

    redrive: Redrive
    results: frozenset[str] = frozenset()
    bounds: tuple[tuple[str, Any], ...] = ()
    order: str = "-pk"

    def order_by(self, order: str) -> Self:
        return replace(self, order=order)

    def filter(self, **bounds: Any) -> Self:
        """Return the entries whose failure ids are within the bounds, for example `pk__lt=failure_id`."""
        return replace(self, bounds=(*self.bounds, *bounds.items()))

    def __getitem__(self, part: slice) -> list[Entry]:
        attempts, stored = self._attempts().values_list("failure_id"), self._stored().values_list("id")
        page = attempts.union(stored, all=True).order_by(self.order.replace("pk", "failure_id"))[part]
        ids = [failure_id for (failure_id,) in page]
        failures = _with_result(Failure.objects.all()).in_bulk(ids)
        by_failure = {attempt.failure_id: attempt for attempt in self._attempts().filter(failure__in=ids)}
        return [_entry(failures[failure_id], by_failure.get(failure_id)) for failure_id in ids]

    def _attempts(self) -> QuerySet[Attempt]:
        attempts = attempts_of(self.redrive).filter(
            **{name.replace("pk", "failure_id"): value for name, value in self.bounds}
        )
        return attempts.filter(outcome__in=self.results & set(AttemptOutcome)) if self.results else attempts

    def _stored(self) -> QuerySet[Failure]:
        reached = Failure.objects.filter(
            redrive=self.redrive.id, id__lte=self.redrive.cursor, **dict(self.bounds)
        )
        stored: QuerySet[Any] = _with_result(reached).order_by()
        return stored.filter(result__in=self.results) if self.results else stored


#: The failure was scheduled by a redrive job, and was closed or changed before a worker began the retry.
_NOT_NEEDED = Q(redrive_result=RedriveResult.WAITING) & ~Q(status=FailureStatus.SCHEDULED)


def _with_result(failures: QuerySet[Failure]) -> Any:
    """Annotate failures that the redrive job did not retry with `result`, the reason why."""
    result = Case(
        When(_NOT_NEEDED, then=Value(RedriveResult.CLOSED)),
        default=F("redrive_result"),
        output_field=CharField(),
    )
    return failures.annotate(result=result)


def _entry(failure: Any, attempt: Attempt | None) -> Entry:
    return Entry(failure, RedriveResult(attempt.outcome if attempt else failure.result), attempt)

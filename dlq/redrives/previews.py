"""The preview of a redrive (dry run): how many failures the redrive job would process and refuse."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from dlq.models import DECISION_STATUSES, OPEN_STATUSES, Failure
from dlq.redrives.models import REFUSALS, Redrive, RedriveResult
from dlq.redrives.refusals import TRAITS, Traits, refusal, with_traits
from dlq.selection import FailureSelection

T = TypeVar("T")

#: Counting stops after this number of milliseconds, so that staff can start a redrive job of very many failures.
COUNT_MILLISECONDS = 2000
#: The maximum number of failures that a preview shows.
SAMPLE_SIZE = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview of a redrive job.

    `matched` is the number of open failures that match. `accepted` is the number of failures that would be retried or
    discarded. `refused` contains the numbers of failures that would be refused, by reason. These three fields are None
    if counting took longer than the time limit. `sample` contains the first failures that match.
    """

    matched: int | None
    accepted: int | None
    refused: dict[str, int] | None
    sample: list[Failure]


def preview(redrive: Redrive) -> Preview:
    """Return what the redrive job would do if it were started. The redrive is an unsaved instance."""
    selection = FailureSelection.from_json(redrive.selection)
    candidates = _open(selection)
    sample = list(candidates.order_by("id")[:SAMPLE_SIZE])
    counts = _within_time_limit(lambda: _count(redrive, selection))
    if counts is None:
        return Preview(None, None, None, sample)
    refused = {reason.value: counts[reason] for reason in REFUSALS if reason in counts}
    matched = sum(counts.values())
    return Preview(matched, matched - sum(refused.values()), refused, sample)


def count_within_time_limit(selection: FailureSelection) -> int | None:
    """Return the number of open failures that match the selection, or None if counting takes too long."""
    return _within_time_limit(lambda: _open(selection).count())


def _open(selection: FailureSelection) -> QuerySet[Failure]:
    return selection.queryset().filter(status__in=OPEN_STATUSES)


def _within_time_limit(query: Callable[[], T]) -> T | None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout TO {COUNT_MILLISECONDS}")
            result = query()
            # A rollback to the savepoint restores the previous value of `statement_timeout`.
            # If the savepoint were released, `SET LOCAL` would last until the end of the outer transaction.
            transaction.set_rollback(True)
    except OperationalError:
        return None
    return result


def _count(redrive: Redrive, selection: FailureSelection) -> Counter[RedriveResult | None]:
    """Return the number of matching failures for each reason why failures are refused.

    The key None counts the failures that are not refused.
    """
    candidates = with_traits(_open(selection))
    counts: Counter[RedriveResult | None] = Counter()
    refused = Q(pk__in=[])
    for *values, count in candidates.values_list(*TRAITS).annotate(Count("id")):
        reason = refusal(Traits(*values), redrive)
        counts[reason] += count
        if reason is not None:
            refused |= Q(**dict(zip(TRAITS, values, strict=True)))
    if redrive.is_retry:
        # A failure waits until all older failures with the same ordering key are closed. So a redrive job refuses a
        # failure if an older failure with the same ordering key waits for a person, unless the job also schedules it.
        older = with_traits(Failure.objects.all()).filter(
            ~selection.condition() | refused,
            ordering_key=OuterRef("ordering_key"),
            id__lt=OuterRef("id"),
            status__in=DECISION_STATUSES,
        )
        blocked = candidates.exclude(ordering_key="").exclude(refused).filter(Exists(older)).count()
        counts[None] -= blocked
        counts[RedriveResult.ORDERING_KEY] += blocked
    return +counts

"""Counts of the failures in each group.

Failures are counted in their table, because a counter in the row of a group would make captures wait for each other.
If the tenant has at most `MAX_COUNTED_LIVE` failures, the failures are counted for each page. Otherwise they are
counted in the background and the counts are stored in the groups, so that pages with groups stay fast if there are
millions of failures. Pages show when the failures were counted.
"""

import datetime
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from dlq.groups.models import FailureGroup, GroupQuerySet
from dlq.models import DECISION_STATUSES, OPEN_STATUSES, RETRIED_STATUSES, Failure, FailureStatus
from hotelagent.core.ids import first_uuid7_at
from tenants.queue.celery_task import get_task
from tenants.unaudited import unaudited

#: If the tenant has more failures than this, the failures of groups are counted in the background.
MAX_COUNTED_LIVE = 10_000
#: If stored counts are older than this when a person opens a page that shows them, the failures are counted again.
MAX_AGE = datetime.timedelta(minutes=1)
#: The Celery task that counts the failures of all groups in the background.
COUNT_TASK = "dlq.tasks.count_groups"
#: Number of days for which captured and closed failures are counted.
DAYS = 14

_COUNT = """
SELECT fingerprint, count(*), count(*) FILTER (WHERE status = ANY (%(open)s)),
    count(*) FILTER (WHERE status = ANY (%(decision)s))
FROM dlq_failure
WHERE %(fingerprints)s::char(16)[] IS NULL OR fingerprint = ANY (%(fingerprints)s::char(16)[])
GROUP BY fingerprint
"""
_COUNT_BY_DAY = """
SELECT fingerprint, day, sum(captured), sum(closed)
FROM (
    SELECT fingerprint, (created_at AT TIME ZONE %(zone)s)::date AS day, 1 AS captured, 0 AS closed
    FROM dlq_failure WHERE id >= %(first_id)s
    UNION ALL
    SELECT fingerprint, (closed_at AT TIME ZONE %(zone)s)::date, 0, 1
    FROM dlq_failure WHERE closed_at >= %(since)s
) AS change
WHERE %(fingerprints)s::char(16)[] IS NULL OR fingerprint = ANY (%(fingerprints)s::char(16)[])
GROUP BY fingerprint, day
"""
_STORE = """
UPDATE dlq_failuregroup AS stored SET
    open_count = counted.open_count, decision_count = counted.decision_count, failure_count = counted.failure_count,
    daily_counts = counted.daily_counts, counted_at = %(counted_at)s
FROM jsonb_to_recordset(%(rows)s) AS counted (
    fingerprint char(16), open_count integer, decision_count integer, failure_count integer, daily_counts jsonb)
WHERE stored.fingerprint = counted.fingerprint
"""


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """The numbers of failures of a group. `open` counts the open failures, and `total` counts all failures.

    `decision` counts the failures that wait until a person retries or discards them. Only `store_counts` needs this
    number, so it is not read from the stored numbers.

    `days` maps each ISO date to two numbers: how many failures were captured and how many were closed on this day.

    `counted_at` is None if the numbers were counted for this page. `is_known` is False if the failures were never
    counted.
    """

    open: int = 0
    total: int = 0
    days: dict[str, tuple[int, int]] = field(default_factory=dict)
    counted_at: datetime.datetime | None = None
    is_known: bool = True
    decision: int = 0


def counted_live() -> bool:
    """Return whether the tenant has so few failures that each page request can count them."""
    return Failure.objects.order_by()[: MAX_COUNTED_LIVE + 1].count() <= MAX_COUNTED_LIVE


def counts_of(groups: Collection[FailureGroup], *, with_days: bool) -> dict[str, GroupCounts]:
    """Return a dict that maps the fingerprints of the groups to their numbers of failures.

    If `with_days` is False, the numbers for each day may be missing. If the stored numbers are too old, the
    function sends a task that counts the failures again.
    """
    if not groups:
        return {}
    if counted_live():
        return _count([group.fingerprint for group in groups], with_days=with_days)
    if _needs_counting(groups):
        get_task(COUNT_TASK).try_delay()
    return {group.fingerprint: _stored(group) for group in groups}


def _needs_counting(groups: Collection[FailureGroup]) -> bool:
    """Return whether stored numbers of these groups are missing or too old.

    Return True at most once a minute for each tenant, so that the caller can start the count.
    """
    oldest = timezone.now() - MAX_AGE
    is_due = any(group.counted_at is None or group.counted_at < oldest for group in groups)
    return is_due and cache.add("dlq:groups:counting", True, MAX_AGE.total_seconds())


def with_open_failures(groups: GroupQuerySet) -> GroupQuerySet:
    """Return the groups that have open failures.

    If the tenant has many failures, the stored counts are used. A group without stored counts, or with an error after
    its last count, is returned too, because this group may have open failures.
    """
    return _with_failures(groups, OPEN_STATUSES, stored=Q(open_count__gt=0))


def with_decisions(groups: GroupQuerySet) -> GroupQuerySet:
    """Return the groups with failures that need a person's decision. See `with_open_failures` for stored counts."""
    return _with_failures(groups, DECISION_STATUSES, stored=Q(decision_count__gt=0))


def with_retries(groups: GroupQuerySet) -> GroupQuerySet:
    """Return the groups with failures that are retried automatically. See `with_open_failures` for stored counts."""
    return _with_failures(groups, RETRIED_STATUSES, stored=Q(open_count__gt=F("decision_count")))


def without_open_failures(groups: GroupQuerySet) -> GroupQuerySet:
    """Return the groups that `with_open_failures` does not return."""
    return groups.exclude(pk__in=with_open_failures(groups).values("pk"))


def _with_failures(groups: GroupQuerySet, statuses: Collection[FailureStatus], *, stored: Q) -> GroupQuerySet:
    """Return the groups with failures in these statuses.

    `stored` is a condition on the stored counts of a group. It is used if the tenant has too many failures to read
    them all.
    """
    if counted_live():
        failures = Failure.objects.filter(fingerprint=OuterRef("pk"), status__in=statuses)
        return groups.filter(Exists(failures))
    return groups.filter(stored | Q(counted_at__isnull=True) | Q(last_seen_at__gt=F("counted_at")))


@unaudited("The counts are computed from failures, whose changes are recorded.")
def store_counts() -> None:
    """Count the failures of all groups of the tenant, and store the numbers in the groups.

    Groups whose rows are locked keep their numbers until the next count.
    """
    counted_at = timezone.now()
    counts = _count(None, with_days=True)
    with transaction.atomic():
        unlocked = FailureGroup.objects.select_for_update(skip_locked=True, no_key=True).order_by()
        rows = [
            {
                "fingerprint": fingerprint,
                "open_count": counts.get(fingerprint, GroupCounts()).open,
                "decision_count": counts.get(fingerprint, GroupCounts()).decision,
                "failure_count": counts.get(fingerprint, GroupCounts()).total,
                "daily_counts": counts.get(fingerprint, GroupCounts()).days,
            }
            for fingerprint in unlocked.values_list("fingerprint", flat=True)
        ]
        with connection.cursor() as cursor:
            cursor.execute(_STORE, {"counted_at": counted_at, "rows": json.dumps(rows)})


def last_days() -> list[datetime.date]:
    """Return the days for which captured and closed failures are counted, oldest first."""
    today = timezone.localdate()
    return [today - datetime.timedelta(days=number) for number in reversed(range(DAYS))]


def _count(fingerprints: list[str] | None, *, with_days: bool) -> dict[str, GroupCounts]:
    """Count the failures of these groups, or of all groups if `fingerprints` is None."""
    since = timezone.make_aware(datetime.datetime.combine(last_days()[0], datetime.time.min))
    values: dict[str, Any] = {
        "fingerprints": fingerprints,
        "open": [str(status) for status in OPEN_STATUSES],
        "decision": [str(status) for status in DECISION_STATUSES],
        "zone": timezone.get_current_timezone_name(),
        "first_id": first_uuid7_at(since),
        "since": since,
    }
    days: dict[str, dict[str, tuple[int, int]]] = {}
    with connection.cursor() as cursor:
        if with_days:
            cursor.execute(_COUNT_BY_DAY, values)
            for fingerprint, day, captured, closed in cursor.fetchall():
                days.setdefault(fingerprint, {})[day.isoformat()] = (int(captured), int(closed))
        cursor.execute(_COUNT, values)
        rows = cursor.fetchall()
    counts = {
        fingerprint: GroupCounts(open_, total, days.get(fingerprint, {}), decision=decision)
        for fingerprint, total, open_, decision in rows
    }
    return {fingerprint: counts.get(fingerprint, GroupCounts()) for fingerprint in fingerprints or counts}


def _stored(group: FailureGroup) -> GroupCounts:
    days = {day: (captured, closed) for day, (captured, closed) in (group.daily_counts or {}).items()}
    return GroupCounts(
        open=group.open_count or 0,
        total=group.failure_count or 0,
        days=days,
        counted_at=group.counted_at,
        is_known=group.counted_at is not None,
    )

"""The count of a tenant's failures, for metrics and alerts.

Rows that cannot change any more are called settled, and are counted only once. The next count starts after the settled
rows, so its duration does not depend on the number of stored failures.

A row is settled `COMMIT_DELAY` after its creation, because its transaction may be committed later. An attempt is
settled after a day, because its outcome changes when the result is recorded.
"""

import datetime
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from dlq import events
from dlq.alerts.models import FailureFigures
from hotelagent.core.ids import first_uuid7_at
from tenants.database.clock import database_now
from tenants.unaudited import unaudited

#: The maximum duration of a transaction of the application. All rows that are older than this are committed.
COMMIT_DELAY = datetime.timedelta(minutes=5)
ATTEMPT_DELAY = datetime.timedelta(days=1)
#: The minimum number of seconds between two counts of the failures of a tenant.
MIN_INTERVAL = 50.0
#: The maximum share of one worker's time that is spent on counting the failures of a tenant.
MAX_SHARE = 0.01

#: The upper bounds of the buckets of retry durations, in seconds.
LATENCY_BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3600.0)
#: The name under which the sum of all retry durations is stored. The counts of the buckets are stored under names
#: such as `latency:3`.
LATENCY_SUM = "latency_sum"

_OPEN = """
SELECT status, count(*), min(created_at) FROM dlq_failure
WHERE status IN ('scheduled', 'retrying', 'in_doubt', 'permanent') GROUP BY status
"""
_MESSAGES = """
SELECT is_task, id < %s, count(*) FROM dlq_failure WHERE id >= %s GROUP BY 1, 2
"""
_OLDEST_RUNNING = """
SELECT min(attempt.id::text)::uuid FROM dlq_failure AS failure
JOIN dlq_attempt AS attempt ON attempt.failure_id = failure.id AND attempt.number = failure.attempt
WHERE failure.status = 'retrying'
"""
_ATTEMPTS = """
SELECT outcome, width_bucket(seconds::float8, %s), is_settled, count(*), sum(seconds)::float8
FROM (
    SELECT outcome, id < %s AS is_settled, greatest(extract(epoch FROM ended_at - started_at), 0) AS seconds
    FROM dlq_attempt WHERE id >= %s AND number > 0 AND outcome <> 'running'
) AS ended
GROUP BY 1, 2, 3
"""
_EVENTS = """
SELECT event, coalesce(data ->> 'status', ''), id < %s, count(*)
FROM audit_event WHERE id >= %s AND event = ANY(%s) GROUP BY 1, 2, 3
"""
_GROUPS = """
SELECT created_at < %s, count(*) FROM dlq_failuregroup WHERE created_at >= %s GROUP BY 1
"""
_COUNTED_EVENTS = [
    event.name for event in (events.CAPTURED, events.RETRY_FAILED, events.EXPIRED, events.REGRESSED)
]


class _Count(NamedTuple):
    """A number to add to one total of `FailureFigures`.

    `name` is the name of the total. `is_settled` is True if the counted rows cannot change any more.
    """

    name: str
    is_settled: bool
    number: float


@unaudited("The stored counts are computed from failures, whose changes are recorded.")
def count_failures() -> FailureFigures:
    """Count the failures of the current tenant, and store and return the counts.

    If the failures were counted recently, return the stored counts instead of counting again.
    """
    with transaction.atomic():
        figures = FailureFigures.objects.lock()
        now, started = database_now(), time.monotonic()
        interval = datetime.timedelta(seconds=max(MIN_INTERVAL, figures.seconds / MAX_SHARE))
        if figures.counted_at and figures.counted_at <= now < figures.counted_at + interval:
            return figures
        _count_open(figures)
        _count_totals(figures, now)
        figures.counted_at, figures.seconds = now, time.monotonic() - started
        figures.save()
    return figures


def _count_open(figures: FailureFigures) -> None:
    rows = _rows(_OPEN)
    figures.open_by_status = {status: number for status, number, _oldest in rows}
    figures.oldest_at = min((oldest for _status, _number, oldest in rows), default=None)


def _count_totals(figures: FailureFigures, now: datetime.datetime) -> None:
    committed_before = first_uuid7_at(now - COMMIT_DELAY)
    [(oldest_running,)] = _rows(_OLDEST_RUNNING)
    ended_before = min(oldest_running or committed_before, first_uuid7_at(now - ATTEMPT_DELAY))
    counts = [
        *_messages(figures.failures_from, committed_before),
        *_attempts(figures.attempts_from, ended_before),
        *_events(figures.events_from, committed_before),
        *_groups(figures.groups_from, now - COMMIT_DELAY),
    ]
    settled: Counter[str] = Counter(figures.settled)
    totals: Counter[str] = Counter(figures.settled)
    for name, is_settled, number in counts:
        # The sum of the durations is a float, and all other totals are integers.
        totals[name] += number  # type: ignore[assignment]
        if is_settled:
            settled[name] += number  # type: ignore[assignment]
    figures.totals, figures.settled = totals, settled
    figures.failures_from = max(figures.failures_from, committed_before)
    figures.attempts_from = max(figures.attempts_from, ended_before)
    figures.events_from = max(figures.events_from, committed_before)
    figures.groups_from = max(figures.groups_from, now - COMMIT_DELAY)


def _messages(start: UUID, settled_before: UUID) -> Iterator[_Count]:
    for is_task, is_settled, number in _rows(_MESSAGES, settled_before, start):
        yield _Count("messages:task" if is_task else "messages:message", is_settled, number)


def _attempts(start: UUID, settled_before: UUID) -> Iterator[_Count]:
    for outcome, bucket, is_settled, number, seconds in _rows(
        _ATTEMPTS, list(LATENCY_BUCKETS), settled_before, start
    ):
        yield _Count(f"retries:{outcome}", is_settled, number)
        yield _Count(f"latency:{bucket}", is_settled, number)
        yield _Count(LATENCY_SUM, is_settled, seconds)


def _events(start: UUID, settled_before: UUID) -> Iterator[_Count]:
    for event, status, is_settled, number in _rows(_EVENTS, settled_before, start, _COUNTED_EVENTS):
        if event == events.REGRESSED.name:
            yield _Count("regressions", is_settled, number)
        if event == events.EXPIRED.name:
            yield _Count("expired", is_settled, number)
        if event == events.EXPIRED.name or status == "permanent":
            yield _Count("permanent", is_settled, number)


def _groups(start: datetime.datetime, settled_before: datetime.datetime) -> Iterator[_Count]:
    for is_settled, number in _rows(_GROUPS, settled_before, start):
        yield _Count("groups", is_settled, number)


def _rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())

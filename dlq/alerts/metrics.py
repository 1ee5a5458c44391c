"""The Prometheus metrics of failures.

The values come from the database, because a worker that is killed would lose the counts in its memory. Each tenant's
failures are counted once a minute (`dlq.alerts.failure_counts`), and a request for the metrics sums the stored counts
of all tenants with one query.

No metric has a label for the hotel or for the name of the failures, because the number of time series would have no
limit.
"""

import datetime
from collections import Counter
from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from dlq.alerts.failure_counts import LATENCY_BUCKETS, LATENCY_SUM
from dlq.alerts.models import PLATFORM_ID, FailureFigures
from dlq.models import OPEN_STATUSES, AttemptOutcome
from hotelagent.core.metrics import database_metrics
from tenants.context import platform_context
from tenants.database.clock import database_now
from tenants.models import Hotel

_OUTCOMES = (AttemptOutcome.SUCCEEDED, AttemptOutcome.FAILED, AttemptOutcome.LOST)


def read_metrics() -> list[Metric]:
    """Return the metrics of the failures of all hotels and of the platform."""
    try:
        with platform_context():
            rows = list(
                FailureFigures.objects.values_list("tenant_id", "totals", "open_by_status", "oldest_at")
            )
            existing = {PLATFORM_ID, *Hotel.objects.values_list("id", flat=True)}
            now = database_now()
    finally:
        # Prometheus calls this function in a separate thread, and Django does not close the connections of that thread.
        connection.close()
    totals: Counter[str] = Counter()
    for _tenant, numbers, _open, _oldest in rows:
        totals.update(numbers)
    current = [(by_status, oldest) for tenant, _totals, by_status, oldest in rows if tenant in existing]
    return [*_totals(totals), *_queue(current, now)]


def describe_metrics() -> list[Metric]:
    """Return the metrics with the value 0. Prometheus calls this function for their names and types."""
    return [*_totals(Counter()), *_queue([], datetime.datetime.now(datetime.UTC))]


def _totals(totals: Counter[str]) -> Iterator[Metric]:
    messages = CounterMetricFamily(
        "dlq_messages", "Captured failures, by type: task or message.", labels=["type"]
    )
    for type_ in ("task", "message"):
        messages.add_metric([type_], totals[f"messages:{type_}"])
    yield messages
    retries = CounterMetricFamily(
        "dlq_retries", "Completed attempts after the original failure, by outcome.", labels=["outcome"]
    )
    for outcome in _OUTCOMES:
        retries.add_metric([outcome.value], totals[f"retries:{outcome.value}"])
    yield retries
    for name, documentation, total in (
        ("dlq_permanent_failures", "Failures that became permanent.", "permanent"),
        ("dlq_messages_expired", "Failures that became too old for automatic retries.", "expired"),
        ("dlq_groups", "New groups of failures: errors that had not occurred before.", "groups"),
        ("dlq_regressions", "Permanent failures whose work failed again.", "regressions"),
    ):
        yield CounterMetricFamily(name, documentation, value=totals[total])
    yield _latency(totals)


def _latency(totals: Counter[str]) -> Metric:
    buckets, cumulated = [], 0
    for number, bound in enumerate([*map(str, LATENCY_BUCKETS), "+Inf"]):
        cumulated += totals[f"latency:{number}"]
        buckets.append((bound, cumulated))
    return HistogramMetricFamily(
        "dlq_retry_latency_seconds",
        "Duration of completed attempts after the original failure, in seconds.",
        buckets=buckets,
        sum_value=totals[LATENCY_SUM],
    )


def _queue(
    tenants: list[tuple[dict[str, int], datetime.datetime | None]], now: datetime.datetime
) -> Iterator[Metric]:
    size = GaugeMetricFamily("dlq_queue_size", "Open failures, by status.", labels=["status"])
    for status in OPEN_STATUSES:
        size.add_metric([status.value], sum(by_status.get(status, 0) for by_status, _oldest in tenants))
    yield size
    oldest = min((oldest for _by_status, oldest in tenants if oldest), default=now)
    yield GaugeMetricFamily(
        "dlq_oldest_message_age_seconds",
        "Age of the oldest open failure, in seconds.",
        value=max(0.0, (now - oldest).total_seconds()),
    )


database_metrics("dlq", read_metrics, describe=describe_metrics)

"""The Prometheus metrics of failures.

The metrics have no label for the failure name, because other systems can report any number of names.
"""

from django.db import transaction
from prometheus_client import Counter

from hotelagent.core.metrics import counter

CAPTURED = counter(
    "hotelagent_failures_captured_total",
    "Captured failures, by whether they are failed tasks.",
    labels=["is_task"],
)
ATTEMPTS = counter("hotelagent_failure_retries_total", "Completed retries, by outcome.", labels=["outcome"])
CLOSED = counter(
    "hotelagent_failures_closed_total",
    "Failures that became resolved, permanent or discarded, by status.",
    labels=["status"],
)


def count_on_commit(metric: Counter, **labels: str) -> None:
    """Increment the counter when the current transaction commits. A change that is rolled back is not counted."""
    transaction.on_commit(metric.labels(**labels).inc, robust=True)

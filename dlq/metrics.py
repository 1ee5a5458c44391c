"""The Prometheus metrics of failures.

The metrics have no label for the failure name, because other systems can report any number of names.
"""

from hotelagent.core.metrics import counter

CAPTURED = counter("hotelagent_failures_captured_total", "Captured failures, by kind.", labels=["kind"])
ATTEMPTS = counter("hotelagent_failure_retries_total", "Completed retries, by outcome.", labels=["outcome"])
CLOSED = counter(
    "hotelagent_failures_closed_total",
    "Failures that became resolved, permanent or discarded, by status.",
    labels=["status"],
)

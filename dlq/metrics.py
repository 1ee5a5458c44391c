"""What Prometheus sees of failures. No label names a task or a message: other systems name theirs freely."""

from hotelagent.core.metrics import counter

CAPTURED = counter("hotelagent_failures_captured_total", "Failures that arrived, by kind.", labels=["kind"])
ATTEMPTS = counter("hotelagent_failure_retries_total", "Retries that ended, by outcome.", labels=["outcome"])
CLOSED = counter(
    "hotelagent_failures_closed_total",
    "Failures that reached an end (resolved, permanent, discarded), by status.",
    labels=["status"],
)

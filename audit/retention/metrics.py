"""The Prometheus metric of retention.

The metric is the number of seconds since the oldest expired event should have been deleted. Unlike the time of the last
run, this number also shows if runs succeed but delete nothing.
"""

from django.db import connection

from audit.retention.expired import find_expired_trails
from hotelagent.core import metrics


def _read_overdue_seconds() -> float:
    try:
        return max((trail.overdue.total_seconds() for trail in find_expired_trails()), default=0.0)
    finally:
        # Prometheus calls this function in a separate thread, and Django does not close the connections of that thread.
        connection.close()


metrics.gauge(
    "hotelagent_audit_retention_overdue_seconds",
    "Seconds since retention should have deleted the oldest expired events of a trail without legal hold.",
    _read_overdue_seconds,
)

"""Prometheus gauges of the processes that have no HTTP server: Celery workers and Celery beat."""

import math

from django.db import connection

from hotelagent.core.metrics import gauge
from hotelagent.overview import figures, heartbeats
from tenants.context import platform_context


def beat_tick_age() -> float:
    """Return the number of seconds since the leading Celery beat renewed its lease, or infinity if it never ran."""
    try:
        with platform_context():
            state = figures.read_beat()
    finally:
        # Prometheus calls this function in a separate thread, and Django does not close the connections of that thread.
        connection.close()
    return state.seconds if state else math.inf


gauge(
    "hotelagent_workers_alive",
    "Celery workers that have sent a heartbeat within the last minute and were not stopped.",
    lambda: len(heartbeats.read_workers()),
)
gauge(
    "hotelagent_beat_tick_age_seconds",
    "Time since the leading Celery beat has renewed its lease, in seconds.",
    beat_tick_age,
)

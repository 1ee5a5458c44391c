"""The Prometheus metrics of stored backups and restore drills. No metric has a label for the hotel."""

from typing import Any

from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric

from hotelagent.core.metrics import database_metrics
from tenants.context import platform_context
from tenants.lifecycle.stored_backups.storage import is_configured
from tenants.lifecycle.stored_backups.summary import BackupSummary, read_summary


def read_metrics() -> list[Metric]:
    """Read the metrics from the database. Without BACKUP_URL there are none, so that no alert is raised."""
    if not is_configured():
        return []
    try:
        with platform_context():
            return _metrics(read_summary())
    finally:
        # Prometheus calls this function in a separate thread, and Django does not close the connections of that thread.
        connection.close()


def describe_metrics() -> list[Metric]:
    """Return the metrics with the value 0. Prometheus calls this function to learn their names and types."""
    return _metrics(BackupSummary())


def _metrics(summary: BackupSummary) -> list[Metric]:
    families: tuple[tuple[str, str, Any], ...] = (
        (
            "hotelagent_backup_oldest_seconds",
            "Longest time since the last good backup of a hotel, or of the platform, in seconds.",
            summary.oldest_seconds,
        ),
        (
            "hotelagent_backup_overdue_targets",
            "Number of hotels without a good backup within the last 36 hours. The platform counts as a hotel.",
            summary.overdue,
        ),
        (
            "hotelagent_restore_drill_oldest_seconds",
            "Time since the last restore drill that passed, of the hotel for which this time is the longest.",
            summary.oldest_drill_seconds,
        ),
        (
            "hotelagent_restore_drill_failed_targets",
            "Number of hotels whose last restore drill failed. The platform counts as a hotel.",
            summary.failed_drills,
        ),
    )
    return [GaugeMetricFamily(name, documentation, value=value) for name, documentation, value in families]


database_metrics("backups", read_metrics, describe=describe_metrics)

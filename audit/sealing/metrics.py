"""The Prometheus metrics of sealing and verification.

One query reads the values from the stored logs of all trails, because the processes that seal and verify may have
ended. No metric has a label for the hotel, because the number of time series would be unlimited.
"""

import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, F, Min, Q, Sum
from django.db.models.functions import Coalesce
from prometheus_client.core import GaugeMetricFamily, Metric

from audit.sealing.models import Log
from audit.sealing.rows import OldestTransaction, find_oldest_transaction
from hotelagent.core.metrics import database_metrics
from tenants.context import platform_context
from tenants.database.clock import database_now


def read_metrics() -> list[Metric]:
    """Read the metrics of the audit trails of the platform and of all hotels from the database."""
    try:
        with platform_context():
            figures = Log.objects.filter(closed_at=None).aggregate(
                sealed=Sum("size", default=0),
                unsealed=Sum("unsealed", default=0),
                oldest=Min("unsealed_since"),
                run=Min("checked_at"),
                refused=Count("pk", filter=~Q(refusal="")),
                invalid=Count("pk", filter=Q(verification="invalid")),
                verified=Min(Coalesce(F("verified_at"), F("created_at"))),
            )
            states = (
                Log.objects.filter(closed_at=None).exclude(published={}).values_list("published", flat=True)
            )
            figures["unpublished"] = min(
                (
                    datetime.datetime.fromisoformat(state["since"])
                    for published in states
                    for state in published.values()
                    if "since" in state
                ),
                default=None,
            )
            return _metrics(figures, database_now(), find_oldest_transaction())
    finally:
        # Prometheus calls this function in a separate thread, and Django does not close the connections of that thread.
        connection.close()


def describe_metrics() -> list[Metric]:
    """Return the metrics with the value 0. Prometheus calls this function to learn their names and types."""
    now = datetime.datetime.now(datetime.UTC)
    return _metrics({"run": now, "verified": now}, now, None)


def _metrics(
    figures: dict[str, Any], now: datetime.datetime, delay: OldestTransaction | None
) -> list[Metric]:
    def gauge(name: str, documentation: str, value: float | None) -> Metric:
        return GaugeMetricFamily(f"hotelagent_audit_{name}", documentation, value=float(value or 0))

    def age(name: str, documentation: str, since: datetime.datetime | None) -> Metric:
        return gauge(name, documentation, _seconds(since, now) if since else 0.0)

    metrics = [
        gauge("sealed_events", "Sealed events of all trails.", figures.get("sealed")),
        gauge("unsealed_events", "Events that were not sealed after the last run.", figures.get("unsealed")),
        age(
            "unsealed_seconds",
            "Age of the oldest event that is not sealed, in seconds.",
            figures.get("oldest"),
        ),
        gauge("refused_logs", "Logs that cannot be sealed any more.", figures.get("refused")),
        gauge("invalid_trails", "Trails whose last verification failed.", figures.get("invalid")),
        age(
            "unpublished_seconds",
            "Seconds for which the publication of a checkpoint has failed.",
            figures.get("unpublished"),
        ),
        _oldest_transaction(delay, now),
    ]
    if figures.get("run"):
        metrics.append(age("run_age_seconds", "Seconds since the last run of the sealer.", figures["run"]))
    if figures.get("verified"):
        documentation = (
            "Seconds since the verification of the trail that was not verified for the longest time."
        )
        metrics.append(age("verification_age_seconds", documentation, figures["verified"]))
    return metrics


def _seconds(since: datetime.datetime, now: datetime.datetime) -> float:
    return max((now - since).total_seconds(), 0.0)


def _oldest_transaction(delay: OldestTransaction | None, now: datetime.datetime) -> Metric:
    """Return the metric with the age of the oldest open database transaction, which delays sealing."""
    metric = GaugeMetricFamily(
        "hotelagent_audit_oldest_transaction_seconds",
        "Age of the open transaction that delays the sealing of all trails, in seconds.",
        labels=["process", "application"],
    )
    if delay is not None and delay.started_at is not None:
        process = str(delay.pid) if delay.prepared_as is None else f"prepared {delay.prepared_as}"
        metric.add_metric([process, delay.application], _seconds(delay.started_at, now))
    return metric


database_metrics("audit", read_metrics, describe=describe_metrics)

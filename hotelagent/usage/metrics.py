"""The Prometheus metrics of the usage of hotels.

The metrics have a label with the slug of the hotel. Their number is bounded: METRICS_TOP_HOTELS hotels with the largest
numbers, and as many hotels whose numbers differ most from their usual numbers, have separate time series. All other
hotels are added up with the label `(other)`, which cannot be a slug. All web processes return the same values.
"""

import math
import time
from collections.abc import Iterable, Iterator
from heapq import nlargest

from django.conf import settings
from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric

from hotelagent.core.metrics import database_metrics
from hotelagent.usage.collector import count_hotels_behind
from hotelagent.usage.selectors import DAILY, LatestUsage, read_latest
from tenants.context import platform_context
from tenants.database.clock import database_now

OTHER = "(other)"
#: The values are read from the database at most once in this number of seconds, because a row is written once a day.
CACHE_SECONDS = 60.0
#: Added to a number and to its usual number before they are compared, so that small differences count little.
_SMOOTHING = 20.0
_CURRENT = {
    "storage_bytes": ("hotelagent_hotel_storage_bytes", "Size of the hotel's tables and indexes, in bytes."),
    "failures_open": ("hotelagent_hotel_open_failures", "Open failures of the hotel."),
    "staff": ("hotelagent_hotel_staff_accounts", "Active accounts of the hotel's staff."),
}

_cached: tuple[float, list[Metric]] | None = None


def read_metrics() -> list[Metric]:
    """Return the metrics of the newest counted day of each hotel. The values are cached for CACHE_SECONDS."""
    global _cached  # noqa: PLW0603 - all requests of the process share the values
    if _cached is None or time.monotonic() - _cached[0] > CACHE_SECONDS:
        try:
            with platform_context():
                rows, behind = read_latest(database_now().date()), count_hotels_behind()
        finally:
            # Prometheus calls this function in a separate thread, and Django does not close its connections.
            connection.close()
        _cached = time.monotonic(), list(build_metrics(rows, behind=behind, top=settings.METRICS_TOP_HOTELS))
    return _cached[1]


def describe_metrics() -> list[Metric]:
    """Return the metrics without values. Prometheus calls this function for their names and types."""
    return list(build_metrics([], behind=0, top=0))


def build_metrics(rows: list[LatestUsage], *, behind: int, top: int) -> Iterator[Metric]:
    """Return the metrics of the hotels. At most `2 * top` hotels have separate time series for each number."""
    daily = GaugeMetricFamily(
        "hotelagent_hotel_daily", "Numbers of the last counted day of a hotel.", labels=["hotel", "figure"]
    )
    usual = GaugeMetricFamily(
        "hotelagent_hotel_daily_usual",
        "Median of the same weekday in the four weeks before the last counted day of a hotel.",
        labels=["hotel", "figure"],
    )
    for figure in DAILY:
        known = [row for row in rows if row.numbers[figure] is not None]
        shown = {row.slug for row in _largest(known, figure, top)}
        shown |= {row.slug for row in _most_unusual(known, figure, top)}
        for slug, value in _with_other(known, figure, shown):
            daily.add_metric([slug, figure], value)
        for row in known:
            if row.slug in shown and (expected := row.usual[figure]) is not None:
                usual.add_metric([row.slug, figure], expected)
    yield daily
    yield usual
    for figure, (name, documentation) in _CURRENT.items():
        metric = GaugeMetricFamily(name, documentation, labels=["hotel"])
        known = [row for row in rows if row.numbers[figure] is not None]
        for slug, value in _with_other(known, figure, {row.slug for row in _largest(known, figure, top)}):
            metric.add_metric([slug], value)
        yield metric
    yield GaugeMetricFamily(
        "hotelagent_usage_hotels_behind",
        "Active hotels whose last three days were not counted.",
        value=behind,
    )


def _largest(rows: list[LatestUsage], figure: str, top: int) -> list[LatestUsage]:
    return nlargest(
        top, rows, key=lambda row: (max(_number(row, figure), row.usual.get(figure) or 0), row.slug)
    )


def _most_unusual(rows: list[LatestUsage], figure: str, top: int) -> list[LatestUsage]:
    def difference(row: LatestUsage) -> tuple[float, str]:
        ratio = (_number(row, figure) + _SMOOTHING) / ((row.usual[figure] or 0.0) + _SMOOTHING)
        return abs(math.log(ratio)), row.slug

    return nlargest(top, [row for row in rows if row.usual[figure] is not None], key=difference)


def _with_other(rows: Iterable[LatestUsage], figure: str, shown: set[str]) -> Iterator[tuple[str, int]]:
    other = None
    for row in rows:
        if row.slug in shown:
            yield row.slug, _number(row, figure)
        else:
            other = (other or 0) + _number(row, figure)
    if other is not None:
        yield OTHER, other


def _number(row: LatestUsage, figure: str) -> int:
    return row.numbers[figure] or 0


database_metrics("usage", read_metrics, describe=describe_metrics)

"""Prometheus metrics: what the house counts, and how every process's numbers reach one page.

gunicorn and Celery run several processes; with `PROMETHEUS_MULTIPROC_DIR` set before Python starts, each keeps
its numbers in files there and any of them can answer for all. No label ever names a hotel, a room or a guest:
at a thousand hotels each label value is a thousand series.

An app's own metrics stand in its `metrics.py`:

    HOLDS = metrics.counter("hotelagent_holds_total", "Holds asked for, by outcome.", labels=["outcome"])
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

log = structlog.get_logger(__name__)

#: From a cached read to the statement timeout, in seconds.
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

if (_directory := os.environ.get("PROMETHEUS_MULTIPROC_DIR")) and not os.access(_directory, os.W_OK):
    raise ImproperlyConfigured(
        f"PROMETHEUS_MULTIPROC_DIR is {_directory!r}, where this process can't write. Make that directory, empty at "
        "every start, or unset the variable."
    )


def counter(name: str, what: str, *, labels: Sequence[str] = ()) -> Counter:
    return Counter(name, what, labelnames=labels)


def histogram(
    name: str, what: str, *, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS
) -> Histogram:
    return Histogram(name, what, labelnames=labels, buckets=buckets)


#: A database that hangs costs a scrape so many seconds and one number, not the page.
LEVEL_SECONDS = 2.0


class _Level(Collector):
    """A number that is asked for when the page is, once whichever process answers; left out where it can't be had."""

    def __init__(self, name: str, what: str, read: Callable[[], float]) -> None:
        self.name, self.what, self.read = name, what, read
        # One thread of its own: while a read still hangs, the next waits behind it and is left out too.
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"level-{name}")

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(self.name, self.what)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        reading = self.thread.submit(self.read)
        try:
            value = reading.result(timeout=LEVEL_SECONDS)
        except Exception as error:  # noqa: BLE001 - the page comes in any case
            reading.cancel()
            log.warning("metrics.level_not_read", metric=self.name, error=type(error).__name__)
            return
        yield GaugeMetricFamily(self.name, self.what, value=value)


_levels: list[_Level] = []


def level(name: str, what: str, read: Callable[[], float]) -> None:
    """A level that the database knows: `read` runs at each scrape, on a thread without a hotel or an actor."""
    made = _Level(name, what, read)
    REGISTRY.register(made)
    _levels.append(made)


REQUESTS = histogram(
    "hotelagent_request_seconds",
    "Seconds from the first middleware to the response, by view, method and status.",
    labels=["view", "method", "status"],
)


class RequestMetrics:
    """Middleware, in front of all others but the probes: every response is counted, whoever gave it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        REQUESTS.labels(
            view=match.view_name or match.route if match else "none",
            method=request.method if request.method in METHODS else "other",
            status=response.status_code,
        ).observe(time.perf_counter() - start)
        return response


def directory() -> Path | None:
    """Where the processes keep their numbers; None where there is one process only."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None


def page() -> bytes:
    """All processes' metrics in Prometheus's text format."""
    if directory() is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    for made in _levels:
        registry.register(made)
    return generate_latest(registry)


def process_died(pid: int) -> None:
    """Drop what a dead process said about itself (its totals stay). gunicorn's `child_exit` calls this."""
    if directory() is not None:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]

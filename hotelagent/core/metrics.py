"""Prometheus metrics, and the page `/metrics`, which shows the metrics of all processes.

If `PROMETHEUS_MULTIPROC_DIR` is set, each process writes its values to files in that directory. The metrics of an app
are defined in its module `metrics.py`:

    HOLDS = metrics.counter("hotelagent_holds_total", "Requested holds, by outcome.", labels=["outcome"])
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from django.conf import settings
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
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

log = structlog.get_logger(__name__)

#: Histogram buckets in seconds, from the duration of a cached response to the timeout of SQL statements.
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
#: HTTP methods that are used as label values. Other methods get the label "other", because clients can send any method.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Timeout for the query of a gauge. After this number of seconds, /metrics is returned without the gauge.
GAUGE_TIMEOUT_SECONDS = 2.0

if (_path := os.environ.get("PROMETHEUS_MULTIPROC_DIR")) and not os.access(_path, os.W_OK):
    raise ImproperlyConfigured(
        f"PROMETHEUS_MULTIPROC_DIR is {_path!r}, and this process can't write to it. Create that directory and empty "
        "it before each start, or unset the variable."
    )


class ProcessesCollector(multiprocess.MultiProcessCollector):
    """Collects the metric values of all processes.

    Damaged files, which a killed process may leave, are skipped, logged and renamed.
    """

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for name, metric in read_metrics_files(Path(self._path)):
            if name in merged:
                merged[name].samples += metric.samples
            else:
                merged[name] = metric
        accumulated: Iterable[Metric] = self._accumulate_metrics(merged, accumulate=True)  # type: ignore[no-untyped-call]
        return accumulated


def read_metrics_files(directory: Path) -> Iterator[tuple[str, Metric]]:
    """Read the metrics files in the directory. Yield the name and the value of each metric. Rename damaged files."""
    for file in sorted(directory.glob("*.db")):
        try:
            if not file.stat().st_size:  # a process has created the file, but not written it yet
                continue
            metrics = multiprocess.MultiProcessCollector._read_metrics([str(file)])  # type: ignore[no-untyped-call] # noqa: SLF001
        except FileNotFoundError:  # another process has deleted the file of an ended process
            continue
        except Exception as error:  # noqa: BLE001 - any bytes may be in the file
            log.warning("metrics.file_damaged", file=file.name, error=type(error).__name__)
            with contextlib.suppress(OSError):
                file.rename(file.with_suffix(".damaged"))
            continue
        yield from metrics.items()


if _path:
    # The loop renames damaged metrics files, which killed processes may have left.
    # A new process with the process id of a killed process would fail when it opens the damaged file that the killed
    # process left.
    for _ in read_metrics_files(Path(_path)):
        pass


def counter(name: str, documentation: str, *, labels: Sequence[str] = ()) -> Counter:
    return Counter(name, documentation, labelnames=labels)


def histogram(
    name: str, documentation: str, *, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS
) -> Histogram:
    return Histogram(name, documentation, labelnames=labels, buckets=buckets)


class _DatabaseMetrics(Collector):
    """Metrics whose values are queried from the database when a client requests `/metrics`.

    The response omits the metrics if the query fails or hangs.
    """

    def __init__(
        self, name: str, read: Callable[[], Iterable[Metric]], describe: Callable[[], Iterable[Metric]]
    ) -> None:
        self.name, self.read, self.describe = name, read, describe
        # Each query has its own thread. If the query hangs, later calls of the query wait for this thread and time out.
        self.executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"metrics-{name}")

    def collect(self) -> Iterator[Metric]:
        future = self.executor.submit(self.read)
        try:
            metrics = future.result(timeout=GAUGE_TIMEOUT_SECONDS)
        except Exception as error:  # noqa: BLE001 - the other metrics must be served in any case
            future.cancel()
            log.warning("metrics.gauge_not_read", metric=self.name, error=type(error).__name__)
            return
        yield from metrics


_database_metrics: list[_DatabaseMetrics] = []


def database_metrics(
    name: str, read: Callable[[], Iterable[Metric]], *, describe: Callable[[], Iterable[Metric]]
) -> None:
    """Register metrics whose values come from the database.

    On each request to `/metrics`, the function `read` is called. It reads the database and returns the metrics. The
    function `describe` must return metrics with the same names without reading the database.
    """
    registered = _DatabaseMetrics(name, read, describe)
    REGISTRY.register(registered)
    _database_metrics.append(registered)


def gauge(name: str, documentation: str, read: Callable[[], float]) -> None:
    """Register a gauge whose value is the result of `read`. `read` queries the database (see `database_metrics`)."""
    database_metrics(
        name,
        lambda: [GaugeMetricFamily(name, documentation, value=read())],
        describe=lambda: [GaugeMetricFamily(name, documentation)],
    )


class _VersionCollector(Collector):
    """The metric with the deployed version. Its value is always 1, and its label is the setting CODE_VERSION."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric without its value. The metrics server of a worker calls it without Django's settings."""
        yield GaugeMetricFamily(
            "hotelagent_version_info", "The version of the process that responds.", labels=["version"]
        )

    def collect(self) -> Iterator[Metric]:
        for metric in self.describe():
            metric.add_metric([settings.CODE_VERSION], 1)
            yield metric


_version = _VersionCollector()
REGISTRY.register(_version)

REQUESTS = histogram(
    "hotelagent_request_seconds",
    "Duration of requests from the first middleware to the response, by view, method and status.",
    labels=["view", "method", "status"],
)


class RequestMetricsMiddleware:
    """Measures the duration of each request, including requests that another middleware responds to.

    Health probes are not measured.
    """

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


def multiprocess_directory() -> Path | None:
    """Return the metrics directory that all processes share, or None if PROMETHEUS_MULTIPROC_DIR is not set."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None


def exposition() -> bytes:
    """Return the metrics of all processes in Prometheus' text format."""
    if multiprocess_directory() is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    ProcessesCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_version)
    for registered in _database_metrics:
        registry.register(registered)
    return generate_latest(registry)


def mark_process_dead(pid: int) -> None:
    """Delete the gauges of a process that has ended, but keep its counters. gunicorn calls this in `child_exit`."""
    if multiprocess_directory() is not None:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]

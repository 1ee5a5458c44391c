"""The probes: `/health/live`, `/health/ready` and `/metrics`, answered before any hotel is looked up.

Probes come by address, not by a host name, so this stands in front of all other middleware.

Live asks whether THIS process should be replaced. It leaves the database and Redis out on purpose: restarting
every web process because the database is away helps nobody. What it does look at is what a restart cures: a
request that hangs for minutes (gunicorn's threads have no watchdog of their own, a hung one is lost for good),
no further thread to be had, and the metrics directory no longer writable.

Ready asks whether to send requests here NOW: the database on the runtime route, Redis, and migrations.

`/metrics` answers to `Authorization: Bearer <METRICS_TOKEN>`; where no token is set, to this machine only.
"""

import hmac
import ipaddress
import itertools
import os
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from hotelagent.core import metrics
from hotelagent.monitoring import readiness

#: Longer than any request may take: the statement timeout is 15 s, an export may need minutes.
HUNG_AFTER_SECONDS = 300.0
PROBE_SECONDS = 1.0

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class HealthMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.running: dict[int, float] = {}  # request -> when it began, monotonic seconds
        self.numbers = itertools.count()
        self.probes = {
            "/health/live": self.live,
            "/health/ready": self.ready,
            "/metrics": self.metrics,
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = self.probes.get(request.path_info)
        if probe is not None:
            return probe(request)
        number = next(self.numbers)
        self.running[number] = time.monotonic()
        try:
            return self.get_response(request)
        finally:
            del self.running[number]

    def live(self, _request: HttpRequest) -> HttpResponse:
        parts = {
            "requests": self.no_request_hangs(),
            "threads": a_thread_starts(),
            "disk": the_metrics_directory_takes_a_file(),
        }
        return answer(parts)

    def ready(self, _request: HttpRequest) -> HttpResponse:
        return answer(readiness.parts())

    def metrics(self, request: HttpRequest) -> HttpResponse:
        if not may_read_metrics(request):
            return HttpResponse("Not found\n", status=404, content_type="text/plain")
        return HttpResponse(metrics.exposition(), content_type=_METRICS_TYPE)

    def no_request_hangs(self) -> str:
        oldest = min(list(self.running.values()), default=None)
        if oldest is not None and time.monotonic() - oldest > HUNG_AFTER_SECONDS:
            return f"a request has been running for more than {HUNG_AFTER_SECONDS:.0f} s"
        return readiness.OK


def answer(parts: dict[str, str]) -> HttpResponse:
    """200 where every part is fine, else 503; never cached. Parts say what is wrong, not where or with what login."""
    fine = all(part == readiness.OK for part in parts.values())
    return JsonResponse(
        {"status": readiness.OK if fine else "failing", "parts": parts},
        status=200 if fine else 503,
        headers={"Cache-Control": "no-store"},
    )


def a_thread_starts() -> str:
    ran = threading.Event()
    try:
        threading.Thread(target=ran.set, daemon=True).start()
    except RuntimeError:
        return "no further thread can be started"
    return readiness.OK if ran.wait(PROBE_SECONDS) else "a new thread does not get to run"


def the_metrics_directory_takes_a_file() -> str:
    directory = metrics.multiprocess_directory()
    if directory is None:
        return readiness.OK
    probe = directory / f"probe-{os.getpid()}-{threading.get_ident()}"
    try:
        probe.write_bytes(b"1")
        probe.unlink()
    except OSError as error:
        return f"PROMETHEUS_MULTIPROC_DIR takes no file: {error.strerror}"
    return readiness.OK


def may_read_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    # A reverse proxy on this machine also comes from loopback; it says for whom it asks.
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    try:
        return not forwarded and ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:  # a unix socket has no address: only a proxy talks to one
        return False

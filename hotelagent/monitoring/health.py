"""The probes `/health/live` and `/health/ready`, and the metrics at `/metrics`.

`/health/live` says whether this process should be restarted, so it checks only for problems that a restart solves.
`/health/ready` says whether this process can handle requests at the moment. `/metrics` requires the token
METRICS_TOKEN. If the token is empty, only requests from this machine are answered.
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

#: Number of seconds after which a request counts as hung. The number is high, because an export may take some minutes.
HUNG_AFTER_SECONDS = 300.0
THREAD_TIMEOUT_SECONDS = 1.0

_METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class HealthMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        #: Maps the sequence number of each running request to its start time, in seconds on the monotonic clock.
        self.running: dict[int, float] = {}
        self.request_numbers = itertools.count()
        self.probes = {
            "/health/live": self.live,
            "/health/ready": self.ready,
            "/metrics": self.metrics,
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = self.probes.get(request.path_info)
        if probe is not None:
            return probe(request)
        number = next(self.request_numbers)
        self.running[number] = time.monotonic()
        try:
            return self.get_response(request)
        finally:
            del self.running[number]

    def live(self, _request: HttpRequest) -> HttpResponse:
        return health_response(
            {
                "requests": self.check_running_requests(),
                "threads": check_threads(),
                "disk": check_metrics_directory(),
            }
        )

    def ready(self, _request: HttpRequest) -> HttpResponse:
        return health_response(readiness.check_parts())

    def metrics(self, request: HttpRequest) -> HttpResponse:
        if not may_read_metrics(request):
            return HttpResponse("Not found\n", status=404, content_type="text/plain")
        return HttpResponse(metrics.exposition(), content_type=_METRICS_CONTENT_TYPE)

    def check_running_requests(self) -> str:
        oldest = min(list(self.running.values()), default=None)
        if oldest is not None and time.monotonic() - oldest > HUNG_AFTER_SECONDS:
            return f"a request has been running for more than {HUNG_AFTER_SECONDS:.0f} s"
        return readiness.OK


def health_response(parts: dict[str, str]) -> HttpResponse:
    """Return a JSON response with the result of each health check in `parts`.

    The HTTP status is 200 if all results are `ok`, and 503 otherwise.
    """
    is_ok = all(state == readiness.OK for state in parts.values())
    return JsonResponse(
        {"status": readiness.OK if is_ok else "failing", "parts": parts},
        status=200 if is_ok else 503,
        headers={"Cache-Control": "no-store"},
    )


def check_threads() -> str:
    """Check that a thread can be started. Return `ok`, or a description of the problem."""
    ran = threading.Event()
    try:
        threading.Thread(target=ran.set, daemon=True).start()
    except RuntimeError:
        return "no thread can be started"
    return readiness.OK if ran.wait(THREAD_TIMEOUT_SECONDS) else "a new thread does not run"


def check_metrics_directory() -> str:
    """Check that a file can be written to the metrics directory. Return `ok`, or a description of the problem."""
    directory = metrics.multiprocess_directory()
    if directory is None:
        return readiness.OK
    probe = directory / f"probe-{os.getpid()}-{threading.get_ident()}"
    try:
        probe.write_bytes(b"1")
        probe.unlink()
    except OSError as error:
        return f"PROMETHEUS_MULTIPROC_DIR is not writable: {error.strerror}"
    return readiness.OK


def may_read_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        authorization = request.headers.get("Authorization", "")
        return hmac.compare_digest(authorization.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    # If a reverse proxy on this machine forwards a request, REMOTE_ADDR is a loopback address for every client.
    is_forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    try:
        return not is_forwarded and ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        # A request through a Unix socket has no IP address. Only a reverse proxy on this machine uses the socket.
        return False

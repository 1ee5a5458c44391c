"""Clients of a hotel's REST API that send requests without a pause, and remember what the server acknowledged."""

import datetime
import http.client
import itertools
import json
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Any, Self

from hotelagent.embedded import ports
from tests.faults.hotel import NIGHTS, ROOMS
from tests.faults.site import Site

HOST = "alpha.localhost"
TIMEOUT = 30.0  # seconds for one attempt
PAUSE = 0.05  # seconds between two attempts
HOLD, RESERVATION, READ = OPERATIONS = ("hold", "reservation", "read")


@dataclass(frozen=True)
class Attempt:
    """One request: when it began and ended (monotonic time in seconds), and how it failed, or an empty text."""

    operation: str
    began: float
    ended: float
    failure: str


class Clients:
    """One thread for each operation. A request that fails is repeated with the same idempotency key until it succeeds.

    Each hold is released immediately, because a client may have 500 holds at most. `holds`, `released` and
    `reservations` contain the ids that the server acknowledged, in the order of the acknowledgements.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.attempts: list[Attempt] = []
        self.holds: list[str] = []
        self.released: list[str] = []
        self.reservations: list[tuple[str, float]] = []
        self._lock = threading.Lock()
        self._end = threading.Event()
        today = datetime.datetime.now(datetime.UTC).date()
        self._arrival = today + datetime.timedelta(days=1)
        self._threads = [
            threading.Thread(target=target) for target in (self._hold, self._reserve, self._read)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let each thread complete its last request."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def first_success(self, operation: str, after: float) -> float | None:
        """Return when the first request of the operation that began after this time succeeded, or None."""
        with self._lock:
            times = [
                attempt.ended
                for attempt in self.attempts
                if attempt.operation == operation and attempt.began >= after and not attempt.failure
            ]
        return min(times, default=None)

    def failures(self, begin: float, end: float) -> Counter[str]:
        """Return the number of requests that ended in this time, by the kind of their failure."""
        with self._lock:
            return Counter(
                attempt.failure
                for attempt in self.attempts
                if attempt.failure and begin <= attempt.ended <= end
            )

    def slowest(self, begin: float, end: float) -> float:
        """Return the longest duration in seconds of a successful request that ended in this time."""
        with self._lock:
            return max(
                (
                    attempt.ended - attempt.began
                    for attempt in self.attempts
                    if not attempt.failure and begin <= attempt.ended <= end
                ),
                default=0.0,
            )

    def _hold(self) -> None:
        for number in itertools.count():
            check_in = self._arrival + datetime.timedelta(days=number // ROOMS % NIGHTS)
            body = {
                "rooms": [number % ROOMS + 1],
                "check_in": check_in.isoformat(),
                "check_out": (check_in + datetime.timedelta(days=1)).isoformat(),
            }
            hold = self._until_success(HOLD, "POST", "/api/v1/locks/", body)
            if hold is None:
                return
            self.holds.append(hold["id"])
            path = f"/api/v1/locks/{hold['id']}/release/"
            if self._until_success(HOLD, "POST", path, {"token": hold["token"]}) is None:
                return
            self.released.append(hold["id"])

    def _reserve(self) -> None:
        for number in itertools.count():
            external_id = f"fault-{number}"
            body = {
                "arrival": self._arrival.isoformat(),
                "departure": (self._arrival + datetime.timedelta(days=2)).isoformat(),
                "guest_name": f"Guest {number}",
                "guest_email": f"{external_id}@example.com",
            }
            path = f"/api/v1/reservations/by-external-id/{external_id}/"
            if self._until_success(RESERVATION, "PUT", path, body) is None:
                return
            self.reservations.append((external_id, time.monotonic()))

    def _read(self) -> None:
        night = self._arrival.isoformat(), (self._arrival + datetime.timedelta(days=1)).isoformat()
        path = "/api/v1/availability/?check_in={}&check_out={}".format(*night)
        while self._until_success(READ, "GET", path, None) is not None:
            pass

    def _until_success(self, operation: str, method: str, path: str, body: Any) -> Any:
        """Repeat the request until it succeeds, and return the body of the response. Return None at the end."""
        key = str(uuid.uuid4())
        while not self._end.wait(PAUSE):
            began = time.monotonic()
            failure, answer = self._send(method, path, body, key)
            with self._lock:
                self.attempts.append(Attempt(operation, began, time.monotonic(), failure))
            if not failure:
                return answer
        return None

    def _send(self, method: str, path: str, body: Any, key: str) -> tuple[str, Any]:
        """Send the request, and return how it failed (or an empty text) and the body of the response."""
        headers = {
            "Host": HOST,
            "Authorization": f"Bearer {self.site.api_key}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        connection = http.client.HTTPConnection(ports.LOOPBACK, self.site.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body=body and json.dumps(body), headers=headers)
            response = connection.getresponse()
            text = response.read()
        except TimeoutError:
            return f"no response within {TIMEOUT:g} s", None
        except (OSError, http.client.HTTPException):
            return "no connection", None
        finally:
            connection.close()
        if response.status in {200, 201}:
            return "", json.loads(text)
        return str(response.status), None

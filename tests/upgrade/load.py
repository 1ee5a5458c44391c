"""Clients that request the notes of two hotels without a pause, and record each failure."""

import http.client
import threading
import time
from collections import Counter
from typing import Self

from hotelagent.embedded import ports
from tests.upgrade.stack import HOTELS, wait_until

#: The parameters of the requests of each thread. The slow requests are running when a process receives SIGTERM.
PATHS = ("/notes/", "/notes/", "/notes/?seconds=0.5")
TIMEOUT = 60  # seconds


class Load:
    """Threads that send requests to a port until the end of the `with` block.

    Each request uses a new connection, so a socket on which no process listens would be noticed. The threads create
    a note in half of the requests, and read notes in the others.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.created = 0
        self.failures: list[str] = []
        #: The number of responses of each release.
        self.releases: Counter[str] = Counter()
        self.slowest = 0.0  # seconds
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._send_requests, args=[path]) for path in PATHS]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait_for_responses(self, number: int, *, release: str) -> None:
        """Wait until the release has sent `number` more responses, or a request has failed."""
        goal = self.releases[release] + number
        failures = len(self.failures)
        wait_until(
            lambda: self.releases[release] >= goal or len(self.failures) > failures,
            what=f"{number} more responses of the release {release}, have {self.releases}",
        )

    def _send_requests(self, path: str) -> None:
        number = 0
        while not self._end.is_set():
            number += 1
            self._send_request(
                path, host=HOTELS[number % len(HOTELS)], method="POST" if number % 4 < 2 else "GET"
            )

    def _send_request(self, path: str, *, host: str, method: str) -> None:
        start = time.monotonic()
        failure, release = "", ""
        connection = http.client.HTTPConnection(ports.LOOPBACK, self.port, timeout=TIMEOUT)
        try:
            connection.request(
                method, path, body="note" if method == "POST" else None, headers={"Host": f"{host}.localhost"}
            )
            response = connection.getresponse()
            body = response.read().decode()
            if response.status == 200:
                release = body.split('"')[3]
            else:
                failure = f"{method} {path} of {host}: {response.status} {body[:300]}"
        except (OSError, http.client.HTTPException) as error:
            failure = f"{method} {path} of {host}: {error!r}"
        finally:
            connection.close()
        with self._lock:
            self.slowest = max(self.slowest, time.monotonic() - start)
            if failure:
                self.failures.append(failure)
            else:
                self.releases[release] += 1
                self.created += method == "POST"

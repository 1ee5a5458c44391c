"""Benchmark of the REST API of a hotel while an anonymous client sends login attempts under new names to the platform.

The attempts come from one IP address at a fixed rate, which is much higher than the limit for an address.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from itertools import count
from urllib.parse import urlencode

from tests.benchmarks.harness import Row, row_of_rounds
from tests.benchmarks.holds import durable_servers
from tests.benchmarks.rest import Client, site_clients

IDS = ("login-flood",)

FLOODERS = 4
#: The number of login attempts per second of each flooding client.
RATE = 10
#: The duration of one measurement in seconds.
SECONDS = 3.0
ROUNDS = 9
BAR = 1.3
PLATFORM = "localhost"
#: The settings of the other benchmarks turn the rate limits off.
SETTINGS = "hotelagent.settings.development"
#: The seconds between two requests to the API, so that the client stays below the API's rate limit.
PAUSE = 0.055


def measure(_ids: list[str]) -> list[Row]:
    with durable_servers() as running, site_clients(running, settings=SETTINGS) as clients:
        client = clients[0]
        _latency(client)  # the first requests fill the caches
        rounds: list[list[float]] = []
        statuses: list[int] = []
        for _ in range(ROUNDS):
            quiet = _latency(client)
            with _flood(client.connection.port, statuses):
                rounds.append([_latency(client), quiet])
    counts = Counter(statuses)
    if counts[429] < len(statuses) // 2:
        raise RuntimeError(f"Too few attempts were refused. Attempts by status: {dict(counts)}.")
    what = f"GET /api/v1/locks/, ms, during {FLOODERS * RATE} login attempts a second; peer: without them"
    return [row_of_rounds("login-flood", what, rounds, bar=BAR)]


def _latency(client: Client) -> float:
    """Return the median time of a request in milliseconds."""
    times = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        began = time.perf_counter()
        client.connection.request("GET", "/api/v1/locks/?page_size=10", headers=client.headers)
        response = client.connection.getresponse()
        response.read()
        times.append((time.perf_counter() - began) * 1e3)
        if response.status != 200:
            raise RuntimeError(f"The API responded with the status {response.status}.")
        time.sleep(PAUSE)
    return statistics.median(times)


@contextmanager
def _flood(port: int, statuses: list[int]) -> Iterator[None]:
    """Send login attempts in threads until the end of the `with` block. Add the HTTP statuses to `statuses`."""
    stopped = threading.Event()

    def send() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/admin/login/", headers={"Host": PLATFORM})
        page = connection.getresponse()
        page.read()
        token = SimpleCookie(page.headers["Set-Cookie"])["hotelagent_csrf"].value
        headers = {
            "Host": PLATFORM,
            "Cookie": f"hotelagent_csrf={token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        for number in count():
            if stopped.wait(1 / RATE):
                return
            form = {
                "csrfmiddlewaretoken": token,
                "username": f"{threading.get_ident()}-{number}",
                "password": "wrong",
            }
            connection.request("POST", "/admin/login/", urlencode(form), headers)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)

    threads = [threading.Thread(target=send) for _ in range(FLOODERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()

"""Benchmark of holds over the REST API: eight HTTP clients send requests to gunicorn and PgBouncer.

For comparison, the same requests are sent to a minimal view, which only authenticates the API key and inserts one
row.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import psycopg

from hotelagent.embedded import paths, ports
from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, median_ratio, row
from tests.benchmarks.holds import create_bare_table, durable_servers
from tests.servers import PgBouncer, Servers

IDS = ("hold-rest",)

CLIENTS = 8
WORKERS = 2
SLUG = "bench-rest"
HOST = f"{SLUG}.localhost"
ROOMS = CLIENTS * 25
#: The number of requests that each client sends in one turn. The rooms are released after each turn.
EACH = 30
ROUNDS = 12

Ask = Callable[["Client"], None]


class Client:
    """An HTTP client with a persistent connection, an API key, and rooms that no other client requests."""

    def __init__(self, port: int, key: str, rooms: list[int]) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {"Host": HOST, "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.rooms = rooms
        self.number = count()

    def hold(self) -> None:
        number = next(self.number)
        day = datetime.now(UTC).date() + timedelta(days=2 + number // len(self.rooms) % 300)
        self._post(
            "/api/v1/locks/",
            {
                "room": self.rooms[number % len(self.rooms)],
                "check_in": day.isoformat(),
                "check_out": (day + timedelta(days=1)).isoformat(),
            },
        )

    def bare(self) -> None:
        self._post("/bare/", {"note": "bare"})

    def _post(self, path: str, body: dict[str, object]) -> None:
        self.connection.request("POST", path, json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        said = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"{path}: {answer.status} {said[:300]!r}")


def measure(ids: list[str]) -> list[Row]:
    with durable_servers() as running, site_clients(running) as clients:
        owner = psycopg.connect(running.postgres.url(postgres.SUPERUSER), autocommit=True)
        with owner, ThreadPoolExecutor(CLIENTS) as pool:
            create_bare_table(owner)

            def rate(ask: Ask) -> float:
                def turn(client: Client) -> None:
                    for _ in range(EACH):
                        ask(client)

                began = time.perf_counter()
                list(pool.map(turn, clients))
                took = time.perf_counter() - began
                owner.execute(
                    f"UPDATE hotel_{SLUG.replace('-', '_')}.locks_allocation SET status = 'released' "
                    "WHERE status = 'held'; TRUNCATE tenants_dueitem"
                )
                return CLIENTS * EACH / took

            rates: dict[Ask, list[float]] = {Client.hold: [], Client.bare: []}
            for ask in rates:
                rate(ask)
            for number in range(ROUNDS):
                for ask in (Client.hold, Client.bare) if number % 2 else (Client.bare, Client.hold):
                    rates[ask].append(rate(ask))
    ours, peer = rates[Client.hold], rates[Client.bare]
    return [
        row(
            "hold-rest",
            f"POST /api/v1/locks/ under gunicorn, a second, {CLIENTS} clients; peer: a bare authenticated DRF view "
            "that inserts one row (ratio: peer's rate over ours; bar: 0.6 x its rate)",
            ours=statistics.median(ours),
            peer=statistics.median(peer),
            ratio=median_ratio(peer, ours),
            bar=1 / 0.6,
        )
    ]


@contextmanager
def site_clients(running: Servers, *, settings: str = "tests.benchmarks.side_site") -> Iterator[list[Client]]:
    """Run gunicorn with the Django settings, and yield HTTP clients with API keys of one hotel."""
    environment = running.environment(postgres.DATABASE, 0)
    with PgBouncer(environment["DATABASE_URL"], pool_size=CLIENTS) as bouncer:
        environment |= {"DATABASE_URL": bouncer.url, "DEBUG": "0", "LOG_LEVEL": "ERROR"}
        keys = running.folder / "keys.json"
        caller = Contestant("side_holds", environment)
        try:
            caller("make_hotel", SLUG, ROOMS)
            caller("make_keys", SLUG, CLIENTS, str(keys))
        finally:
            caller.end()
        told = json.loads(keys.read_text())
        with _site(running.folder, environment, settings) as port:
            yield [
                Client(port, key, told["rooms"][number :: len(told["keys"])])
                for number, key in enumerate(told["keys"])
            ]


@contextmanager
def _site(folder: Path, environment: dict[str, str], settings: str) -> Iterator[int]:
    port = ports.find_free_port()
    figures = folder / "metrics"
    figures.mkdir()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "hotelagent.wsgi", "--bind", f"127.0.0.1:{port}"),
            *("--config", str(paths.CHECKOUT / "deploy" / "gunicorn.conf.py"), "--workers", str(WORKERS)),
            *("--worker-tmp-dir", str(folder), "--preload", "--log-level", "error"),
        ],
        cwd=paths.CHECKOUT,
        env={
            **os.environ,
            **environment,
            "DJANGO_SETTINGS_MODULE": settings,
            "PROMETHEUS_MULTIPROC_DIR": str(figures),
        },
    )
    try:
        _await(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(40)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health/live", headers={"Host": HOST})
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("The site did not start.")
        time.sleep(0.2)

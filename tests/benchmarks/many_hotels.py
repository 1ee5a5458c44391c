"""Benchmarks of a deployment with many hotels.

They measure the memory and speed of a database connection that serves many hotels, and how much the creation of a
hotel slows down the requests of other hotels.

Commits wait for the disk, as in production.
"""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, row
from tests.benchmarks.holds import (
    CALLERS,
    compare_rates,
    durable_servers,
    start_callers,
    start_django_callers,
)
from tests.servers import Servers

IDS = ("hold-memory", "hold-mixed", "provision-disturbance")

HOTELS = 500
MEMORY_PER_HOTEL = 0.15
NEW_HOTELS = 40


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rows: list[Row] = []
    with durable_servers() as running:
        _make_hotels(running)
        if {"hold-memory", "hold-mixed"} & set(ids):
            rows += [result for result in _one_connection(running) if result["id"] in ids]
        if "hold-mixed" in ids:
            rows += _mixed(running)
        if "provision-disturbance" in ids:
            rows.append(_disturbance(running))
    return rows


def _make_hotels(running: Servers) -> None:
    makers = [_contestant(running) for _ in range(2)]
    with ThreadPoolExecutor(len(makers)) as pool:
        share = HOTELS // len(makers)
        list(pool.map(lambda n: makers[n]("make_hotels", n * share, share, CALLERS), range(len(makers))))
    for maker in makers:
        maker.end()


def _contestant(running: Servers) -> Contestant:
    """Start a benchmark process whose database connection does not use a pooler."""
    environment = running.environment(postgres.DATABASE, 0)
    return Contestant("side_many_hotels", environment | {"LOG_LEVEL": "ERROR", "DEBUG": "0"})


def _one_connection(running: Servers) -> list[Row]:
    caller = _contestant(running)
    first_hold = caller("first_hold") * 1e3
    memory = caller("memory")
    caller.end()
    return [
        row("hold-memory", f"memory of one connection that served holds of {HOTELS} hotels, MB; peer: the limit",
            ours=memory, peer=MEMORY_PER_HOTEL * HOTELS, bar=1),
        row("hold-mixed", "acquire of a room at a hotel that is new to the connection, ms; peer: the limit",
            ours=first_hold, peer=4, bar=1),
    ]  # fmt: skip


def _mixed(running: Servers) -> list[Row]:
    with (
        start_callers(running, "side_many_hotels") as callers,
        start_django_callers(running, rooms=HOTELS * CALLERS) as django_callers,
        ThreadPoolExecutor(CALLERS) as pool,
    ):

        def ours(seconds: float) -> float:
            calls = lambda n: callers[n]("hold_in_other_hotels", n, seconds)  # noqa: E731
            return sum(pool.map(calls, range(CALLERS))) / seconds

        def django(seconds: float) -> float:
            calls = lambda n: django_callers[n]("hold_in_other_hotels", n, CALLERS, seconds)  # noqa: E731
            return sum(pool.map(calls, range(CALLERS))) / seconds

        ours(5)  # warm-up, in which each connection serves each hotel
        return compare_rates(
            "hold-mixed",
            f"acquire + release of a room, each at another of {HOTELS} hotels, a second, {CALLERS} callers",
            ours,
            [("the Django ORM with django-auditlog, all hotels in one schema", django, 1.5)],
        )


def _disturbance(running: Servers) -> Row:
    """Measure how long the first hold takes on a connection after another process has created a hotel."""
    holder, maker = _contestant(running), _contestant(running)
    holder("first_hold")
    took = []
    for number in range(HOTELS, HOTELS + NEW_HOTELS):
        holder("acquire")
        maker("make_hotels", number, 1, CALLERS)
        took.append(holder("acquire") * 1e3)
    holder.end()
    maker.end()
    return row(
        "provision-disturbance",
        f"the next acquire of a connection after a hotel was created, ms, at {HOTELS} hotels; peer: the limit",
        ours=statistics.median(took), peer=5, bar=1,
    )  # fmt: skip

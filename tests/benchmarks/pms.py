"""Benchmarks of the calls to a PMS: the circuit breaker, the cache of availability, and many searches at the same time.

pybreaker keeps the state of its breaker in Redis. The cache is compared with a plain GET of the same JSON.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, row, row_of_rounds, take_turns
from tests.benchmarks.holds import CALLERS, durable_servers, start_callers
from tests.pms.fake_qloapps import Server
from tests.web import serving

IDS = ("pms-breaker", "pms-breaker-failure", "pms-cache", "pms-single-flight")

ROUNDS = 7
#: Seconds for which the callers of one side run before the other side's turn.
SECONDS = 0.5
READS = 1_000
ASKERS = 100
_WHAT = {
    "pms-breaker": f"check and record of a successful call, {CALLERS} processes, us; peer: pybreaker with Redis",
    "pms-breaker-failure": f"check and record of a failed call, {CALLERS} processes, us; peer: pybreaker with Redis",
    "pms-cache": "search answered from the cache, us; peer: a plain Redis GET with JSON decoding",
}
_BREAKERS = {
    "pms-breaker": ("call_through_breaker", "call_through_pybreaker"),
    "pms-breaker-failure": ("fail_through_breaker", "fail_through_pybreaker"),
}


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rows = []
    with (
        durable_servers() as running,
        start_callers(running, "side_pms") as callers,
        serving(Server()) as qloapps,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        callers[0]("prepare", f"http://127.0.0.1:{qloapps.server_port}")
        for id_, names in _BREAKERS.items():
            if id_ in ids:
                rows.append(_compare(id_, names, partial(_microseconds, pool, callers), bar=1.5))
        if "pms-cache" in ids:
            callers[0]("store_offers")
            names = ("read_cache", "read_redis")
            rows.append(_compare("pms-cache", names, lambda name: callers[0](name, READS) * 1e6, bar=3))
        if "pms-single-flight" in ids:
            rows.append(_single_flight(pool, callers, qloapps))
    return rows


def _compare(id_: str, names: tuple[str, str], measure_side: Callable[[str], float], *, bar: float) -> Row:
    """Measure both sides in turns, first hotelagent, then the peer. Return the result row."""
    values = take_turns(names, measure_side, rounds=ROUNDS)
    return row_of_rounds(id_, _WHAT[id_], zip(*(values[name] for name in names), strict=True), bar=bar)


def _microseconds(pool: ThreadPoolExecutor, callers: list[Contestant], name: str) -> float:
    """Let all callers run for SECONDS at the same time. Return the time of one call in microseconds."""
    calls = sum(pool.map(lambda caller: caller(name, SECONDS), callers))
    return float(CALLERS * SECONDS / calls * 1e6)


def _single_flight(pool: ThreadPoolExecutor, callers: list[Contestant], qloapps: Server) -> Row:
    """Measure how often the PMS is called by many searches for the same offers, which are not in the cache."""
    qloapps.state.delay = 0.3
    worst = 0
    threads = [ASKERS // CALLERS + (number < ASKERS % CALLERS) for number in range(CALLERS)]
    # The benchmark of the cache has stored the offers of the first day.
    for day in range(2, ROUNDS + 2):
        before, start = qloapps.state.searches, time.time() + 1
        found = pool.map(partial(_ask, start=start, day=day), callers, threads)
        if sum(found) != ASKERS:
            raise RuntimeError("The searches returned other offers than those of the PMS.")
        worst = max(worst, qloapps.state.searches - before)
    what = f"calls of the PMS for {ASKERS} searches in {CALLERS} processes, cold cache; peer: one call"
    return row("pms-single-flight", what, ours=worst, peer=1, bar=1)


def _ask(caller: Contestant, threads: int, *, start: float, day: int) -> float:
    return caller("search_in_threads", threads, start, day)

"""What the benchmarks share: servers of their own, interleaved rounds, rows with a verdict."""

from __future__ import annotations

import gc
import importlib
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NotRequired, TypedDict

from tests.servers import Servers


class Row(TypedDict):
    """`ours` and `peer` in the unit that `what` says; `ratio` is ours over peer; `bar` the most it may be."""

    id: str
    what: str
    ours: float | None
    peer: float | None
    ratio: float | None
    bar: float
    holds: bool
    error: NotRequired[str]


def row(name: str, what: str, *, ours: float, peer: float, ratio: float | None = None, bar: float) -> Row:
    found = ours / peer if ratio is None else ratio
    return Row(id=name, what=what, ours=ours, peer=peer, ratio=found, bar=bar, holds=found <= bar)


def measure_module(name: str, ids: list[str]) -> list[Row]:
    """What the benchmark of that name measures; for the process that runs it."""
    rows: list[Row] = importlib.import_module(f"tests.benchmarks.{name}").measure(ids)
    return rows


@contextmanager
def servers() -> Iterator[Servers]:
    """PostgreSQL and Valkey that nobody else uses, gone afterwards."""
    running = Servers()
    try:
        running.start()
        yield running
    finally:
        running.stop()


def interleave(
    contestants: dict[str, Callable[[], object]], *, rounds: int, each: int
) -> dict[str, list[float]]:
    """Seconds a call, one figure a round: in each round every contestant runs `each` times in its turn.

    Whatever else the machine does meets all of them. Many short rounds say more than few long ones.
    """
    for contestant in contestants.values():
        for _ in range(max(3, each // 4)):
            contestant()
    took: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        gc.collect()
        gc.disable()
        # Each goes first as often as the others.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            contestant = contestants[name]
            began = time.perf_counter()
            for _ in range(each):
                contestant()
            took[name].append((time.perf_counter() - began) / each)
        gc.enable()
    return took


def median_ratio(ours: list[float], peer: list[float]) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(ours, peer, strict=True))

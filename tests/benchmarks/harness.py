"""Functions that all benchmarks use: starting servers, alternating measurements, and computing result rows."""

from __future__ import annotations

import gc
import importlib
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NotRequired, TypedDict

from tests.servers import Servers


class Row(TypedDict):
    """One row of the result table.

    `ours` and `peer` are the values measured for hotelagent and for the project that it is compared with.
    `what` names their unit. `ratio` is `ours` divided by `peer`, and `bar` is the highest ratio allowed.
    """

    id: str
    what: str
    ours: float | None
    peer: float | None
    ratio: float | None
    bar: float
    holds: bool
    error: NotRequired[str]


def row(id_: str, what: str, *, ours: float, peer: float, ratio: float | None = None, bar: float) -> Row:
    """Return a result row. If `ratio` is not given, it is `ours` divided by `peer`."""
    actual = ours / peer if ratio is None else ratio
    return Row(id=id_, what=what, ours=ours, peer=peer, ratio=actual, bar=bar, holds=actual <= bar)


def measure_module(name: str, ids: list[str]) -> list[Row]:
    """Import a benchmark module, run its measurements and return the result rows.

    Call this function only once per process, because a process can configure Django only once.
    """
    rows: list[Row] = importlib.import_module(f"tests.benchmarks.{name}").measure(ids)
    return rows


@contextmanager
def servers() -> Iterator[Servers]:
    """Start PostgreSQL and Valkey for this benchmark only, and delete them afterwards."""
    running = Servers()
    try:
        running.start()
        yield running
    finally:
        running.stop()


def interleave(
    contestants: dict[str, Callable[[], object]], *, rounds: int, each: int
) -> dict[str, list[float]]:
    """Measure several implementations alternately. Return the seconds per call in each round, by implementation name.

    In each round every implementation runs `each` times, so a slow phase of the machine affects all implementations
    alike.
    """
    for contestant in contestants.values():
        for _ in range(max(3, each // 4)):
            contestant()
    took: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        gc.collect()
        gc.disable()
        # Rotate the order, so that no contestant always runs first.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            contestant = contestants[name]
            began = time.perf_counter()
            for _ in range(each):
                contestant()
            took[name].append((time.perf_counter() - began) / each)
        gc.enable()
    return took


def take_turns(
    names: Sequence[str], measure: Callable[[str], float], *, rounds: int
) -> dict[str, list[float]]:
    """Call `measure` with each name in each round, and return the measured values by name.

    The rounds begin with different names, so that no name is always measured first.
    """
    values: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            values[name].append(measure(name))
    return values


def median_ratio(ours: list[float], peer: list[float]) -> float:
    """Return the median of the ratios `ours / peer`. Each list contains one duration for each round."""
    return statistics.median(a / b for a, b in zip(ours, peer, strict=True))


def row_of_rounds(id_: str, what: str, rounds: Iterable[Iterable[float]], *, bar: float) -> Row:
    """Return the result row of a benchmark. Each round contains the duration of hotelagent and of the other project."""
    ours, peer = (list(durations) for durations in zip(*rounds, strict=True))
    ratio = median_ratio(ours, peer)
    return row(id_, what, ours=statistics.median(ours), peer=statistics.median(peer), ratio=ratio, bar=bar)


def raise_error(number: int) -> None:
    """Raise LookupError in nested function calls, so that the traceback has several frames, as in real tasks."""

    def find(depth: int) -> None:
        if depth:
            find(depth - 1)
        raise LookupError(f"There is no lamp {number}.")

    find(3)

"""Benchmarks of operations whose duration must not grow with the number of hotels.

Each operation is measured on a server with few hotels and on a server with many hotels. Two databases on one server
would not be enough, because all databases of a server share the roles of the hotels.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.contestants import Contestant, create_database
from tests.benchmarks.harness import Row, row_of_rounds
from tests.servers import Servers

IDS = ("backup-growth", "migrate-check-growth")

FEW = 20
MANY = {"backup-growth": 2_000, "migrate-check-growth": 2_344}
ROUNDS = 9
#: Tuples of a result id, a function of `side_ours`, a description, and the maximum ratio of the durations.
OPERATIONS = (
    ("backup-growth", "backup", "backup of an empty hotel", 1.3),
    ("migrate-check-growth", "migrate", "migrate with nothing to do", 3.0),
    ("migrate-check-growth", "migrate_check", "migrate --check", 3.0),
)


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    count = max(MANY[id_] for id_ in ids)
    rows = []
    with _hotels(FEW) as few, _hotels(count) as many:
        for id_, operation, description, bar in OPERATIONS:
            if id_ in ids:
                what = f"{description}, ms, with {count:,} hotels; peer: with {FEW} hotels (bar: {bar:g} x)"
                rows.append(row_of_rounds(id_, what, _measure(operation, many, few), bar=bar))
    return rows


@contextmanager
def _hotels(count: int) -> Iterator[Contestant]:
    """Start a server and a hotelagent process, and create `count` hotels."""
    running = Servers(in_memory=True)
    contestant = None
    try:
        running.start()
        contestant = Contestant("side_ours", running.environment("bench_ours", 9))
        create_database(running, "bench_ours")
        contestant("prepare")
        contestant("fill_directly", count)
        yield contestant
    finally:
        if contestant:
            contestant.end()
        running.stop()


def _measure(operation: str, *contestants: Contestant) -> list[list[float]]:
    """Call a function of the module `side_ours` several times in each process. The processes take turns.

    Return a list for each round, with the durations of the processes in milliseconds.
    """
    for contestant in contestants:
        contestant(operation)  # the first call fills the caches
    return [[contestant(operation) * 1e3 for contestant in contestants] for _ in range(ROUNDS)]

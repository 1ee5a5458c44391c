"""What it costs to take over a hotel's bookings: rooms, stays, reservations, two reminders each, due items."""

from __future__ import annotations

import statistics
from tempfile import TemporaryDirectory

from hotelagent.embedded import postgres
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, median_ratio, row, servers

IDS = ("plan-import",)

ROWS = 100_000
ROUNDS = 3


def measure(ids: list[str]) -> list[Row]:
    with servers() as running, TemporaryDirectory() as folder:
        if problem := running.build_template():
            raise RuntimeError(problem)
        ours = Contestant("side_import", running.environment(postgres.DATABASE, 0) | {"LOG_LEVEL": "ERROR"})
        try:
            ours("make_hotel")
            ours("write", folder, ROWS)
            mine, theirs = [], []
            for _ in range(ROUNDS):
                mine.append(ours("bring_in", folder))
                theirs.append(ours("copy", folder))
        finally:
            ours.end()
    return [
        row(
            "plan-import",
            f"importing and planning {ROWS:,} bookings of a CSV file, 2 rules, s; peer: bare COPY of the same rows",
            ours=statistics.median(mine),
            peer=statistics.median(theirs),
            ratio=median_ratio(mine, theirs),
            bar=4,
        )
    ]

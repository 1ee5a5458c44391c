"""Benchmark of the import of bookings, compared with a COPY of the same rows.

For each booking the import stores a stay, a reservation, and two reminders with their due items. The import also
creates the rooms that the stays need.
"""

from __future__ import annotations

import statistics
from tempfile import TemporaryDirectory

from hotelagent.embedded.servers import postgres
from tests import bookings
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
            ours("create_bench_hotel")
            ours("write_bookings", folder, ROWS)
            import_seconds, copy_seconds = [], []
            for _ in range(ROUNDS):
                import_seconds.append(ours("import_bookings", folder))
                copy_seconds.append(ours("copy_rows", folder))
        finally:
            ours.end()
    return [
        row(
            "plan-import",
            f"importing {ROWS:,} {bookings.SOURCE} with 2 reminders each, s; peer: bare COPY of the same rows",
            ours=statistics.median(import_seconds),
            peer=statistics.median(copy_seconds),
            ratio=median_ratio(import_seconds, copy_seconds),
            bar=4,
        )
    ]

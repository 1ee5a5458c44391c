"""Benchmark of encrypted backups in the storage, compared with pg_dump of the same hotels to unencrypted files.

A backup contains the hotel's rows of the shared tables too, is read back and verified, and is encrypted.
"""

from __future__ import annotations

import statistics
from tempfile import TemporaryDirectory

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, median_ratio, row, servers

IDS = ("backup-large", "backup-many")

BOOKINGS = 100_000
HOTELS = 200
ROUNDS = 3
#: The number of equal shares of the hotels. Each round measures one of the shares.
SHARES = 5
BAR = 1.3


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rows: list[Row] = []
    with servers() as running, TemporaryDirectory() as folder:
        if problem := running.build_template():
            raise RuntimeError(problem)
        ours = Contestant(
            "side_backups", running.environment(postgres.DATABASE, 0) | {"LOG_LEVEL": "CRITICAL"}
        )
        try:
            ours("set_storage", folder)
            if "backup-many" in ids:
                ours("fill_directly", HOTELS)
                rows.append(
                    _compare(ours, "backup-many", f"{HOTELS} empty hotels", "bench-", folder, shares=SHARES)
                )
            if "backup-large" in ids:
                ours("create_bench_hotel")
                ours("write_bookings", folder, BOOKINGS)
                ours("import_bookings", folder)
                what = f"one hotel with {BOOKINGS:,} reservations"
                rows.append(_compare(ours, "backup-large", what, "bench-import", folder, shares=1))
        finally:
            ours.end()
    return rows


def _compare(ours: Contestant, id_: str, what: str, slug_prefix: str, folder: str, *, shares: int) -> Row:
    """Measure backups and pg_dump alternately. Each round measures one of `shares` shares of the hotels."""
    pairs = []
    for number in range(max(shares, ROUNDS)):
        share = number % shares
        pairs.append(
            (ours("back_up", slug_prefix, share, shares), ours("dump", slug_prefix, share, shares, folder))
        )
    backups, dumps = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    stored, dumped = ours("stored_bytes", slug_prefix) / 1e6, ours("dumped_bytes", folder) / 1e6
    drill = ours("drill", slug_prefix)
    return row(
        id_,
        f"encrypted backup of {what}, s ({stored:.2f} MB, drill {drill:.1f} s); peer: pg_dump of the same schemas to "
        f"files ({dumped:.2f} MB)",
        ours=statistics.median(backups) * shares,
        peer=statistics.median(dumps) * shares,
        ratio=median_ratio(backups, dumps),
        bar=BAR,
    )

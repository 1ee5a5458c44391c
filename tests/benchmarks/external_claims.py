"""Benchmark of claims over REST by the handlers of other systems.

The duration of a claim must grow neither with the number of failures that wait nor with the number of closed failures.
"""

from __future__ import annotations

import statistics

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, median_ratio, row, servers

IDS = ("dlq-external-claim",)

FEW, MANY = 1_000, 300_000
#: The hotels, each with the number of failures that wait and the number of closed failures.
HOTELS = {"few": (FEW, 0), "waiting": (MANY, 0), "closed": (FEW, MANY)}
BAR = 1.3
ROUNDS, CLAIMS = 30, 5


def measure(_ids: list[str]) -> list[Row]:
    with servers() as running:
        environment = running.environment(postgres.DATABASE, 0) | {"LOG_LEVEL": "ERROR", "DEBUG": "0"}
        side = Contestant("side_external_claims", environment)
        try:
            side("prepare", HOTELS)
            times: dict[str, list[float]] = {slug: [] for slug in HOTELS}
            for number in range(ROUNDS):
                slugs = list(HOTELS)
                for slug in slugs[number % 3 :] + slugs[: number % 3]:
                    times[slug].append(side("claim", slug, CLAIMS) * 1e3)
        finally:
            side.end()
    return [
        row("dlq-external-claim", f"claim over REST with {MANY:,} {slug} failures, ms; peer: with {FEW:,} that wait",
            ours=statistics.median(times[slug]), peer=statistics.median(times["few"]),
            ratio=median_ratio(times[slug], times["few"]), bar=BAR)
        for slug in ("waiting", "closed")
    ]  # fmt: skip

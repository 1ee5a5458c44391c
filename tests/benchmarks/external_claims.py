"""Benchmark of other systems that claim failures over the REST API.

The duration of a claim must grow neither with the number of waiting failures nor with the number of closed failures.
"""

from __future__ import annotations

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, row_of_rounds, servers, take_turns

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
            times = take_turns(list(HOTELS), lambda slug: side("claim", slug, CLAIMS) * 1e3, rounds=ROUNDS)
        finally:
            side.end()
    return [
        row_of_rounds(
            "dlq-external-claim",
            f"claim over REST with {MANY:,} {slug} failures, ms; peer: with {FEW:,} that wait",
            zip(times[slug], times["few"], strict=True),
            bar=BAR,
        )
        for slug in ("waiting", "closed")
    ]

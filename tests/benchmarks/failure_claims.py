"""Benchmarks of workers that claim and retry failures.

One benchmark measures how many failures workers retry per second. For comparison, workers of procrastinate execute jobs
that do nothing. The other benchmark measures whether claiming a failure takes longer in a hotel with many failures.
"""

from __future__ import annotations

import statistics

import psycopg

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant, both
from tests.benchmarks.harness import Row, median_ratio, row, row_of_rounds, servers, take_turns
from tests.servers import Servers

IDS = ("dlq-claim", "dlq-claim-growth")

RETRIES, JOBS = 4_000, 2_000
ROUNDS = 3
#: Pairs of the number of procrastinate's workers and their concurrency. The fastest configuration is used.
CONFIGURATIONS = ((8, 1), (1, 8), (2, 4))
FEW, MANY = 1_000, 1_000_000
CLAIMS, CLAIM_ROUNDS = 50, 20
_ENVIRONMENT = {"LOG_LEVEL": "ERROR", "DEBUG": "0"}


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rows: list[Row] = []
    with (
        servers() as running,
        both(running, ours="side_claims", peer="side_procrastinate",
             peer_settings="hotelagent.settings.development", environment=_ENVIRONMENT) as (ours, peer),
    ):  # fmt: skip
        if "dlq-claim" in ids:
            rows.append(_measure_rate(ours, peer))
        if "dlq-claim-growth" in ids:
            rows += _measure_growth(running, ours)
    return rows


def _measure_rate(ours: Contestant, peer: Contestant) -> Row:
    """Measure how many retries and jobs eight workers execute per second.

    A retry of hotelagent includes the changes of the due queue and the audit events. Both rates are calculated from
    timestamps in the database.
    """
    our_rates: list[float] = []
    peer_rates: dict[tuple[int, int], list[float]] = {configuration: [] for configuration in CONFIGURATIONS}
    ours("start_workers")
    try:
        ours("retry_failures", FEW)  # the first call starts the processes and fills the caches
        for _ in range(ROUNDS):
            our_rates.append(ours("retry_failures", RETRIES))
            for configuration, rates in peer_rates.items():
                rates.append(peer("run_jobs", JOBS, *configuration))
    finally:
        ours("stop_workers")
    medians = {configuration: statistics.median(rates) for configuration, rates in peer_rates.items()}
    best = max(CONFIGURATIONS, key=lambda configuration: medians[configuration])
    described = ", ".join(f"{p} x {c}: {medians[p, c]:,.0f}" for p, c in CONFIGURATIONS)
    return row(
        "dlq-claim", "claim, no-op handler and resolve, per second, 8 workers; peer: procrastinate (processes x "
        f"concurrency {described}; ratio: peer / ours)",
        ours=statistics.median(our_rates), peer=medians[best], ratio=median_ratio(peer_rates[best], our_rates), bar=1.0,
    )  # fmt: skip


def _measure_growth(running: Servers, ours: Contestant) -> list[Row]:
    """Measure how long it takes to claim a failure and to store its success in three hotels.

    The hotels have a thousand scheduled failures, a million scheduled failures, and a million resolved failures.
    """
    ours("fill", "few", FEW, "scheduled")
    ours("fill", "waiting", MANY, "scheduled")
    ours("fill", "closed", MANY, "resolved")
    url = running.postgres.url(postgres.SUPERUSER, "bench_ours")
    with psycopg.connect(url, autocommit=True) as superuser:
        superuser.execute("VACUUM ANALYZE")
        superuser.execute("CHECKPOINT")
    slugs = ("few", "waiting", "closed")
    for slug in slugs:
        ours("claim", slug, CLAIMS)
    times = take_turns(slugs, lambda slug: ours("claim", slug, CLAIMS) * 1e6, rounds=CLAIM_ROUNDS)
    return [
        row_of_rounds(
            "dlq-claim-growth",
            f"claim and resolve with {MANY:,} {slug} failures, us; peer: with {FEW:,}",
            zip(times[slug], times["few"], strict=True),
            bar=1.3,
        )
        for slug in ("waiting", "closed")
    ]

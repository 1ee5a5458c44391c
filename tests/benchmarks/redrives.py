"""Benchmarks of a redrive, an operation that schedules and retries many failures.

For comparison, procrastinate schedules the same number of failed jobs again, with one function call for each job.
hotelagent also stores an audit event and a due item for each failure.
"""

from __future__ import annotations

from tests.benchmarks.contestants import both
from tests.benchmarks.harness import Row, row, row_of_rounds
from tests.benchmarks.holds import durable_servers

IDS = ("dlq-redrive", "dlq-clear")

COUNT = 10_000
ROUNDS = 3
#: Scheduling takes at most a fifth of the time that the compared project takes.
BAR = 0.2
#: Retrying all failures takes at most a minute.
CLEAR_SECONDS = 60.0


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rows: list[Row] = []
    with (
        durable_servers() as running,
        both(
            running,
            ours="side_redrives",
            peer="side_procrastinate_retry",
            peer_settings="tests.benchmarks.peer.celery_results",
            environment={"LOG_LEVEL": "ERROR", "DEBUG": "0"},
        ) as (ours, peer),
    ):
        ours("fill", COUNT)
        if "dlq-redrive" in ids:
            peer("fill", COUNT)
            rounds = [[side("schedule", COUNT) for side in (ours, peer)] for _ in range(ROUNDS)]
            rows.append(
                row_of_rounds(
                    "dlq-redrive",
                    f"scheduling {COUNT:,} retries with a redrive, seconds; peer: procrastinate, one call each",
                    rounds,
                    bar=BAR,
                )
            )
        if "dlq-clear" in ids:
            rows.append(
                row(
                    "dlq-clear",
                    f"a redrive of {COUNT:,} failures with a worker of two processes and a handler that does nothing, "
                    "seconds until its end; peer: the maximum",
                    ours=ours("redrive_all", COUNT),
                    peer=CLEAR_SECONDS,
                    bar=1,
                )
            )
    return rows

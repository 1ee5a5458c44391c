"""Benchmarks of storing failed tasks in the dead-letter queue.

For comparison, django-celery-results stores the result of the same failed tasks. hotelagent also stores the attempt,
the group, the due item of the first retry and the audit event, in the schema of the hotel.
"""

from __future__ import annotations

from contextlib import ExitStack

from tests.benchmarks.contestants import both
from tests.benchmarks.harness import Row, row, row_of_rounds
from tests.benchmarks.holds import durable_servers

IDS = ("dlq-capture", "dlq-capture-group")

#: Number of captures per contestant and round, and number of rounds.
EACH = 40
ROUNDS = 15
LARGE_GROUP = 100_000
EMPTY, FULL = "bench-empty", "bench-full"


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rows: list[Row] = []
    with ExitStack() as stack:
        running = stack.enter_context(durable_servers())
        ours, peer = stack.enter_context(
            both(
                running,
                ours="side_failures",
                peer="side_celery_results",
                peer_settings="tests.benchmarks.peer.celery_results",
                environment={"LOG_LEVEL": "ERROR", "DEBUG": "0"},
            )
        )
        for slug in (EMPTY, FULL):
            ours("add_hotel", slug)
        if "dlq-capture" in ids:
            statements = ours("statements", EMPTY)
            ours("capture", EMPTY, EACH)
            peer("capture", EACH)
            rounds = [
                [ours("capture", EMPTY, EACH) * 1e3, peer("capture", EACH) * 1e3] for _ in range(ROUNDS)
            ]
            rows += [
                row_of_rounds(
                    "dlq-capture",
                    "capture of one failed task with event and due item, ms; peer: django-celery-results storing one "
                    "failed result",
                    rounds,
                    bar=1.0,
                ),
                row(
                    "dlq-capture",
                    "statements of one capture; peer: the maximum",
                    ours=statements,
                    peer=2,
                    bar=1,
                ),
            ]
        if "dlq-capture-group" in ids:
            ours("fill_group", FULL, LARGE_GROUP)
            rounds = [[ours("capture", slug, EACH) * 1e3 for slug in (FULL, EMPTY)] for _ in range(ROUNDS)]
            rows.append(
                row_of_rounds(
                    "dlq-capture-group",
                    f"capture into a group with {LARGE_GROUP:,} open failures, ms; peer: into an empty group",
                    rounds,
                    bar=1.3,
                )
            )
    return rows

"""Benchmark of a flood of failures with one cause: 100,000 failures in a minute.

The failures must form one group, and the admin pages must respond during the flood. Several processes store failures at
the same time, as workers do, while another process requests the pages.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, row, row_of_rounds, servers

IDS = ("dlq-flood",)

PROCESSES = 4
FAILURES = 100_000
#: Maximum response time of a page during the flood, in seconds.
MAX_PAGE_SECONDS = 2.0
#: Seconds between the requests of a person who looks at the pages during the flood.
PAUSE = 1.0
#: Number of rounds that compare one group with separate groups, and number of captures per process and round.
ROUNDS, EACH = 5, 500


def measure(_ids: list[str]) -> list[Row]:
    with servers() as running, ExitStack() as stack, ThreadPoolExecutor(PROCESSES) as pool:
        environment = running.environment(postgres.DATABASE, 0) | {"LOG_LEVEL": "ERROR", "DEBUG": "0"}
        sides = [Contestant("side_dlq_flood", environment) for _ in range(PROCESSES + 1)]
        for side in sides:
            stack.callback(side.end)
        *workers, visitor = sides
        visitor("prepare")

        def capture(first: int, count: int, *, groups: int) -> float:
            """Let each worker process store `count` failures. Return the seconds until all of them have finished."""
            started = time.perf_counter()
            list(
                pool.map(
                    lambda n: workers[n]("capture", first + n * count, count, n % groups), range(PROCESSES)
                )
            )
            return time.perf_counter() - started

        rounds = [
            [
                capture(number * 10_000, EACH, groups=groups)
                for groups, number in ((1, 2 * n), (PROCESSES, 2 * n + 1))
            ]
            for n in range(ROUNDS)
        ]
        with ThreadPoolExecutor(1) as flood:
            pages = []
            flooding = flood.submit(capture, 1_000_000, FAILURES // PROCESSES, groups=1)
            while not flooding.done():
                pages.append(visitor("visit_slowest_page"))
                time.sleep(PAUSE)
            seconds = flooding.result()
        groups = visitor("count_groups")
    return [
        row_of_rounds(
            "dlq-flood", f"captures by {PROCESSES} processes into one group, s for {PROCESSES * EACH:,}; peer: each "
            "process into another group", rounds, bar=1.1),
        row("dlq-flood", f"{FAILURES:,} failures of one cause, s; peer: the limit", ours=seconds, peer=60, bar=1),
        row("dlq-flood", "slowest list or page of a group during the flood, s; peer: the limit", ours=max(pages),
            peer=MAX_PAGE_SECONDS, bar=1),
        row("dlq-flood", "groups of the flood; peer: one", ours=groups, peer=1, bar=1),
    ]  # fmt: skip

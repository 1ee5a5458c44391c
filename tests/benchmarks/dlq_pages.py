"""Benchmark of the pages that show groups of failures. The response time must not grow with the number of failures.

The benchmark requests each page in a hotel with many failures and in a hotel with few failures.
"""

from __future__ import annotations

from hotelagent.embedded.servers import postgres
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.harness import Row, row_of_rounds
from tests.servers import Servers

IDS = ("dlq-pages",)

FEW = 1_000
MANY = 1_000_000
BAR = 1.3
ROUNDS = 25
#: The measured pages (the keys of `side_dlq_pages.PAGES`), with their descriptions.
PAGES = {
    "list": "admin list of groups",
    "group": "admin page of a group",
    "failures": "admin list of the failures of a group",
    "rest-list": "REST list of groups",
    "rest-group": "REST detail of a group",
    "rest-failures": "REST list of the failures of a group",
}


def measure(_ids: list[str]) -> list[Row]:
    running = Servers(in_memory=True)
    try:
        running.start()
        environment = running.environment(postgres.DATABASE, 0) | {"LOG_LEVEL": "ERROR", "DEBUG": "0"}
        side = Contestant("side_dlq_pages", environment)
        try:
            side("prepare", FEW, MANY)
            return [_measure_page(side, page) for page in PAGES]
        finally:
            side.end()
    finally:
        running.stop()


def _measure_page(side: Contestant, page: str) -> Row:
    for hotel in ("few", "many"):
        side("visit", hotel, page)  # the first request fills the caches
    rounds = [[side("visit", hotel, page) * 1e3 for hotel in ("many", "few")] for _ in range(ROUNDS)]
    what = f"{PAGES[page]}, ms, {MANY:,} failures; peer: {FEW:,} failures"
    return row_of_rounds("dlq-pages", what, rounds, bar=BAR)

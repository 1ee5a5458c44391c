"""Tests that 32 concurrent callers do not double-book rooms, even if some of their processes are killed.

The callers use PgBouncer and request overlapping nights in few rooms.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from locks import selectors, services
from locks.models import Allocation
from tenants.models import Hotel
from tests.races import overlaps
from tests.races.crowd import Granted, Plan
from tests.servers import PgBouncer, find_pgbouncer, skip_or_fail_in_ci

#: Number of rounds of the race. `make chaos` sets RACE_ROUNDS to run many more rounds.
ROUNDS = int(os.environ.get("RACE_ROUNDS", "25"))
TIMEOUT = 200 + 4 * ROUNDS  # seconds

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(TIMEOUT + 100)]


@dataclass(frozen=True)
class Crowd:
    plan: Plan
    process: "subprocess.Popen[bytes]"

    def lines(self, process: int) -> list[str]:
        """Return the lines that this process has written.

        A line that was cut off when the process was killed is left out.
        """
        file = self.plan.file(process)
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def wait_for_holds(self) -> list[Granted]:
        """Wait until all surviving processes have ended, and return all holds that the processes acquired."""
        assert self.process.wait(timeout=TIMEOUT) == 0
        written = [line for process in range(self.plan.processes) for line in self.lines(process)]
        return [Granted(**json.loads(line)) for line in written if line.startswith("{")]

    def finished_processes(self) -> int:
        return sum(self.lines(process)[-1:] == ["done"] for process in range(self.plan.processes))


@contextmanager
def crowd(plan: Plan, url: str) -> Iterator[Crowd]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.races.crowd", json.dumps(asdict(plan))],
        env={**os.environ, "DATABASE_URL": url, "LOG_LEVEL": "ERROR"},
        start_new_session=True,
    )
    try:
        yield Crowd(plan, process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def plan(in_hotel: Hotel, tmp_path: Path) -> Plan:
    return Plan(
        algorithm="ours",
        processes=4,
        callers=8,
        rounds=ROUNDS,
        rooms=services.ensure_rooms({"double": 3})["double"],
        first_night=selectors.today().isoformat(),
        folder=str(tmp_path),
    )


@pytest.fixture
def pooler(db: None, settings: Any) -> Iterator[PgBouncer]:
    """Start a PgBouncer for one test and stop it afterwards.

    Open connections of the PgBouncer would prevent the next test from recreating the database.
    """
    if find_pgbouncer() is None:
        skip_or_fail_in_ci("pgbouncer")
    with PgBouncer(settings.DATABASE_URL, pool_size=3) as bouncer:
        yield bouncer


@pytest.mark.pooler
def test_concurrent_callers_do_not_double_book_when_processes_are_killed(
    plan: Plan, pooler: PgBouncer
) -> None:
    with crowd(replace(plan, killed_processes=2), pooler.url) as callers:
        granted = callers.wait_for_holds()
        assert callers.finished_processes() == plan.processes - 2
    with connection.cursor() as cursor:
        cursor.execute(overlaps.OVERLAPS)
        assert cursor.fetchone() == (0,)
    assert overlaps.count_overlaps(granted) == 0
    held = {str(key) for key in Allocation.objects.filter(status="held").values_list("id", flat=True)}
    assert {given.id for given in granted} <= held
    # Far fewer callers received a room than requested a room, so the callers competed for the rooms.
    assert plan.rounds < len(held) < plan.processes * plan.callers * plan.rounds / 2


def test_algorithm_of_the_previous_system_books_rooms_twice_under_the_same_load(
    plan: Plan, settings: Any
) -> None:
    with crowd(replace(plan, algorithm="original"), settings.DATABASE_URL) as callers:
        granted = callers.wait_for_holds()
    assert overlaps.count_overlaps(granted) > 0

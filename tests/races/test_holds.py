"""Races of 32 callers for overlapping nights in few rooms, through PgBouncer.

Some of their processes are killed.
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

#: `make chaos` runs many more rounds.
ROUNDS = int(os.environ.get("RACE_ROUNDS", "25"))
PATIENCE = 200 + 4 * ROUNDS  # seconds

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(PATIENCE + 100)]


@dataclass(frozen=True)
class Crowd:
    plan: Plan
    process: "subprocess.Popen[bytes]"

    def lines(self, process: int) -> list[str]:
        """Return the complete lines that this process has written.

        A line that was cut off by the kill is left out.
        """
        file = self.plan.file(process)
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def finish(self) -> list[Granted]:
        """Wait until all surviving processes have ended, and return all rooms that callers received."""
        assert self.process.wait(timeout=PATIENCE) == 0
        written = [line for process in range(self.plan.processes) for line in self.lines(process)]
        return [Granted(**json.loads(line)) for line in written if line.startswith("{")]

    def done(self) -> int:
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
    """A PgBouncer for this test only.

    Its open connections would prevent the database from being recreated afterwards.
    """
    if find_pgbouncer() is None:
        skip_or_fail_in_ci("pgbouncer")
    with PgBouncer(settings.DATABASE_URL, pool_size=3) as bouncer:
        yield bouncer


@pytest.mark.pooler
def test_no_two_callers_ever_get_the_same_night(plan: Plan, pooler: PgBouncer) -> None:
    with crowd(replace(plan, doomed=2), pooler.url) as callers:
        granted = callers.finish()
        assert callers.done() == plan.processes - 2
    with connection.cursor() as cursor:
        cursor.execute(overlaps.OVERLAPS)
        assert cursor.fetchone() == (0,)
    assert overlaps.among(granted) == 0
    held = {str(key) for key in Allocation.objects.filter(status="held").values_list("id", flat=True)}
    assert {given.id for given in granted} <= held
    # The callers competed: far fewer received a room than requested one.
    assert plan.rounds < len(held) < plan.processes * plan.callers * plan.rounds / 2


def test_the_originals_algorithm_overlaps_under_the_same_load(plan: Plan, settings: Any) -> None:
    with crowd(replace(plan, algorithm="original"), settings.DATABASE_URL) as callers:
        granted = callers.finish()
    assert overlaps.among(granted) > 0

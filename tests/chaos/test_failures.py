"""Test that no failed job is lost, and that no job is silently done twice, while processes and servers are killed.

A job is a Celery task or a message in the dead-letter queue. `make chaos` runs a longer test with 5,000 jobs and 16
workers.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from hotelagent.embedded.servers import postgres, valkey
from tests import servers
from tests.broker import pending_messages
from tests.chaos.deployment import Deployment
from tests.chaos.failure_results import Record, Results, count_due_items, read_tables
from tests.chaos.failures import (
    HOPELESS_EVERY,
    IDEMPOTENT,
    KINDS,
    ONCE,
    ORDERED,
    RECORD,
    TASK,
    name_of,
    ordering_key,
)

WORKS = int(os.environ.get("CHAOS_FAILURES", "240"))
WORKERS = int(os.environ.get("CHAOS_WORKERS", "4"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
IS_LONG = WORKS > 1000
HOTELS = 5
#: The number of processes of a prefork worker. The other workers have one process.
CONCURRENCY = 3
#: The test fails if no job runs for this number of seconds.
TIMEOUT = 90.0

Incident = tuple[str, Callable[["FailureDeployment"], None]]


class FailureDeployment(Deployment):
    """A deployment with `WORKERS` worker processes. Its Valkey server keeps its data if the server is killed."""

    def __init__(self, folder: Path) -> None:
        preforks, solos = divmod(WORKERS, CONCURRENCY + 1)
        pools = [("prefork", CONCURRENCY)] * preforks + [("solo", 1)] * (preforks + solos)
        super().__init__(
            pools=pools, CHAOS_QUEUE_LEASE="60" if IS_LONG else "8", **{RECORD: str(folder / "record")}
        )
        self.servers.valkey.persistence = valkey.DURABLE
        (folder / "record").touch()
        self.record = Record(folder / "record")
        self.repaired = folder / "record.repaired"
        self.generator = random.Random(SEED)  # noqa: S311 - not a secret
        #: The number of prefork workers, which are the first workers in the list.
        self.preforks = preforks

    @property
    def url(self) -> str:
        return self.servers.postgres.url(postgres.SUPERUSER)

    def kill_prefork_worker(self) -> None:
        self.kill_worker(self.generator.randrange(self.preforks))

    def kill_solo_worker(self) -> None:
        self.kill_worker(self.generator.randrange(self.preforks, len(self.pools)))

    def kill_any_pool_process(self) -> None:
        self.kill_pool_process(self.generator.randrange(self.preforks))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition is true. Fail if no job is run for TIMEOUT seconds."""
        last, deadline = -1, time.monotonic() + TIMEOUT
        while not condition():
            if (lines := len(self.record.runs())) != last:
                last, deadline = lines, time.monotonic() + TIMEOUT
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"No run for {TIMEOUT} s, after {last} lines. {self.queued_tasks()} queued tasks, "
                    f"{count_due_items(self.url)} due items.\n{self.starter.log_tail()}"
                )
            time.sleep(0.05)

    def is_settled(self) -> bool:
        """Return whether no job is queued or due soon. Failures that wait for a person are not due."""
        return not self.queued_tasks() and not count_due_items(self.url, soon=True)

    def is_closed(self) -> bool:
        return not count_due_items(self.url) and not self.queued_tasks()

    def queued_tasks(self) -> int:
        """Count the task messages that are queued or that no worker has acknowledged."""
        messages = pending_messages(self.servers.valkey.url())
        return sum(message["headers"].get("task") == TASK for message in messages)

    def results(self) -> Results:
        return Results(read_tables(self.url), list(self.record.runs()))


KILLS: list[Incident] = [
    ("one process of a pool is killed", FailureDeployment.kill_any_pool_process),
    ("a worker with one process is killed", FailureDeployment.kill_solo_worker),
    ("a prefork worker is killed", FailureDeployment.kill_prefork_worker),
]
RESTARTS: list[Incident] = [
    ("PostgreSQL is restarted", FailureDeployment.restart_postgres),
    ("Valkey is killed", FailureDeployment.restart_valkey),
]


@pytest.mark.skipif("CHAOS_FAILURES" not in os.environ, reason="takes minutes; `make chaos` runs it")
@pytest.mark.timeout(600 if IS_LONG else 120)
def test_no_failure_is_lost_when_workers_and_servers_are_killed(
    tmp_path: Path,
) -> None:
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with FailureDeployment(tmp_path) as running:
        running.run_function("create_hotels", HOTELS, 0)
        running.run_function("send_work", HOTELS, WORKS)
        running.start()
        for done, (name, cause) in schedule():
            running.wait_until(lambda: running.record.count_done() >= done)  # noqa: B023
            cause(running)
            running.incidents[name] += 1
        running.wait_until(running.is_settled)
        results = running.results()
        print(summary(running, results))
        check_nothing_is_lost(results)
        check_once(results, running.interrupted)
        check_order(results)

        # As a person would do: discard the failures in doubt whose job was completed, repair the cause of the failures
        # that are not in doubt, and retry all open failures.
        running.run_function("discard_completed_jobs_in_doubt")
        running.repaired.touch()
        running.run_function("start_redrives")
        running.wait_until(running.is_closed)
        final = running.results()
        print("After the redrive:", dict(Counter(failure.status for failure in final.failures)))
        check_everything_is_done(final)
        check_order(final)


def schedule() -> list[tuple[int, Incident]]:
    """Return the incidents in the order in which they happen.

    Each incident is paired with the number of completed jobs after which it happens. The long test restarts each server
    twice and kills 40 more workers and processes at random, with a fixed seed.
    """
    generator = random.Random(SEED)  # noqa: S311 - not a secret
    incidents = KILLS + [generator.choice(KILLS) for _ in range(40 if IS_LONG else 0)]
    incidents += RESTARTS * (2 if IS_LONG else 1)
    generator.shuffle(incidents)
    last = WORKS * 0.8
    positions = [int(last * (number + 1) / (len(incidents) + 1)) for number in range(len(incidents))]
    return list(zip(positions, incidents, strict=True))


def check_nothing_is_lost(results: Results) -> None:
    """Check that no job is queued, and that each job has been done or is an open failure of its hotel."""
    assert not [failure for failure in results.failures if failure.hotel != failure.number % HOTELS]
    assert not [failure for failure in results.failures if failure.name != name_of(failure.number // HOTELS)]
    messages = Counter(failure.number for failure in results.failures if failure.name != TASK)
    assert messages == Counter(number for number in range(WORKS) if name_of(number // HOTELS) != TASK)
    done = {number for number, count in results.done.items() if count}
    waiting = {failure.number for failure in results.with_status("scheduled", "permanent", "in_doubt")}
    assert done | waiting == set(range(WORKS))
    assert {failure.number for failure in results.with_status("resolved")} <= done
    assert not results.with_status("retrying", "discarded")
    assert {failure.name for failure in results.with_status("scheduled")} <= {ORDERED}
    assert set(range(0, WORKS, HOPELESS_EVERY)) <= waiting


def check_once(results: Results, interrupted: int) -> None:
    """Check that attempts do not overlap. A job that must not run twice must be in doubt after a lost attempt."""
    assert not results.overlapping_attempts()
    assert not results.overlapping_runs((IDEMPOTENT, ONCE, ORDERED))
    once = [failure for failure in results.failures if failure.name == ONCE]
    assert max(results.done[failure.number] for failure in once) == 1
    doubts = {failure.id for failure in results.with_status("in_doubt")}
    lost = {failure.id for failure in once if any(attempt.outcome == "lost" for attempt in failure.attempts)}
    assert doubts == lost
    killed = results.interrupted_runs(ONCE)
    assert killed <= doubts
    assert len(doubts - killed) <= interrupted  # workers killed before or after the job ran
    twice = sum(count - 1 for count in results.done.values() if count > 1)
    assert twice <= interrupted


def check_order(results: Results) -> None:
    """Check that the messages with the same ordering key ran one at a time, oldest first."""
    runs: dict[tuple[int, str], dict[int, list[float]]] = {}
    for run in results.runs:
        if run.name == ORDERED:
            key = (run.number % HOTELS, ordering_key(run.number // HOTELS))
            runs.setdefault(key, {}).setdefault(run.number, []).append(run.at)
    for by_number in runs.values():
        for earlier, later in pairwise(sorted(by_number)):
            assert max(by_number[earlier]) < min(by_number[later])


def check_everything_is_done(results: Results) -> None:
    assert {failure.status for failure in results.failures} <= {"resolved", "discarded"}
    assert set(results.done) == set(range(WORKS))
    assert all(results.done.values())
    assert not results.overlapping_attempts()
    once = [failure for failure in results.failures if failure.name == ONCE]
    assert {results.done[failure.number] for failure in once} == {1}
    assert {failure.name for failure in results.with_status("discarded")} <= {ONCE}


def summary(running: FailureDeployment, results: Results) -> str:
    lines = [f"{number} x {name}" for name, number in running.incidents.items()]
    outcomes = Counter(attempt.outcome for failure in results.failures for attempt in failure.attempts)
    for name in KINDS:
        statuses = Counter(failure.status for failure in results.failures if failure.name == name)
        numbers = [number for number in range(WORKS) if name_of(number // HOTELS) == name]
        done = sum(bool(results.done[number]) for number in numbers)
        twice = sum(results.done[number] > 1 for number in numbers)
        lines.append(
            f"{name}: {len(numbers)} works, {done} done, {twice} done more than once, failures: {dict(statuses)}"
        )
    lines.append(f"{WORKERS} worker processes, {len(results.runs)} lines, attempts: {dict(outcomes)}")
    return "\n".join(lines)

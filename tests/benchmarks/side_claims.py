"""The functions of hotelagent that the benchmarks of claims and retries of failures call.

The module `contestants` starts a process with the development settings and calls these functions there.
"""

import subprocess
import sys
import time
import uuid
from functools import cache

from django.core.management import call_command
from django.db import connection

from dlq.kinds.registry import Kind, register_kind
from dlq.models import Failure
from dlq.policy import FAILURE_DUE
from dlq.retries import attempts
from hotelagent.embedded import paths
from tenants import services, tasks
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import Hotel
from tenants.queue import due

NAME = "bench.nothing"
WORKERS = 8
#: The hotels of the benchmark. In the first hotel, workers retry failures. The claims of the other hotels are compared.
HOTELS = ("workers", "few", "waiting", "closed")

_INSERT_FAILURES = """
INSERT INTO dlq_failure (
    id, is_task, source, name, work_key, ordering_key, payload, original_type, error_type, error_message, fingerprint,
    status, retries, attempt, occurrences, next_retry_at, created_at, last_seen_at, expires_at, closed_at,
    discard_reason, task_id, request_id)
SELECT tenants_uuid7(), false, 'bench', %(name)s, %(status)s || number || clock_timestamp(), '', '{}', '', 'Error',
    'failed', '0000000000000000', %(status)s, 0, 0, 1,
    CASE WHEN %(status)s = 'scheduled' THEN now() + %(delay)s::interval END, now(), now(), now() + interval '7 days',
    CASE WHEN %(status)s = 'resolved' THEN now() END, '', '', ''
FROM generate_series(1, %(count)s) AS number
RETURNING id
"""
_INSERT_ATTEMPTS = """
INSERT INTO dlq_attempt (
    id, failure_id, number, started_at, ended_at, outcome, error_type, error_message, fingerprint, worker, code_version)
SELECT tenants_uuid7(), id, 0, now(), now(), 'failed', 'Error', 'failed', '0000000000000000', '', ''
FROM dlq_failure AS failure
WHERE NOT EXISTS (SELECT FROM dlq_attempt AS attempt WHERE attempt.failure_id = failure.id)
"""
_INSERT_DUE_ITEMS = """
INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
SELECT %s, 'failure', id, next_retry_at, next_retry_at, 0 FROM dlq_failure WHERE status = 'scheduled'
ON CONFLICT DO NOTHING
"""


def do_nothing(_failure: Failure) -> None:
    """Do nothing. The benchmark registers this function as a retry handler whose retries always succeed."""


# The workers import this module, so this call registers the handler in each worker.
register_kind(Kind(name=NAME, handler=do_nothing))


def prepare() -> None:
    """Migrate the benchmark database and create the hotels."""
    call_command("migrate", verbosity=0)
    for slug in HOTELS:
        services.create_hotel(slug=slug, name="Hotel Bench", email="desk@example.com")


@cache
def _hotel(slug: str) -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug=slug)


@cache
def _worker() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "--quiet", "-A", "hotelagent", "worker", "--pool=prefork",
         f"--concurrency={WORKERS}", "--include", __name__, "--loglevel=ERROR",
         "--without-gossip", "--without-mingle"],
        cwd=paths.CHECKOUT, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def start_workers() -> None:
    """Start a Celery worker with eight processes."""
    _worker()


def stop_workers() -> None:
    _worker().terminate()
    _worker().wait()


def retry_failures(count: int) -> float:
    """Let the workers retry `count` failures that are due. Return the number of retries per second.

    The time is measured by the database, from the first start to the last end of a retry.
    """
    with hotel_context(_hotel("workers")):
        Failure.objects.all().delete()
        ids = _insert(count, status="scheduled", delay="-1 second")
        due.schedule(kind=FAILURE_DUE, items=[(failure_id, database_now()) for failure_id in ids])
    with platform_context():
        tasks.tick()
    with hotel_context(_hotel("workers")), connection.cursor() as cursor:
        started = time.monotonic()
        while Failure.objects.exclude(status="resolved").exists():
            time.sleep(0.05)
            if time.monotonic() - started > 120:
                raise RuntimeError("The failures were not retried in time.")
        cursor.execute(
            "SELECT count(*), extract(epoch FROM max(ended_at) - min(started_at)) FROM dlq_attempt WHERE number = 1"
        )
        done, seconds = cursor.fetchone()
    if done != count:
        raise RuntimeError(f"{done} of {count} failures were retried.")
    return count / float(seconds)


def fill(slug: str, count: int, status: str) -> None:
    """Insert `count` failures with the status `status` into the hotel `slug`.

    A failure with the status "scheduled" also gets an item in the due queue, which is due in a day.
    """
    with hotel_context(_hotel(slug)), connection.cursor() as cursor:
        _insert(count, status=status, delay="1 day")
        cursor.execute(_INSERT_DUE_ITEMS, [_hotel(slug).id])


def claim(slug: str, count: int) -> float:
    """Insert `count` failures that are due, then claim each failure and store its success.

    Return the mean time in seconds that these two operations take for one failure.
    """
    with hotel_context(_hotel(slug)):
        ids = _insert(count, status="scheduled", delay="-1 second")
        started = time.perf_counter()
        for failure_id in ids:
            claimed = attempts.claim(failure_id=failure_id, is_dispatched=True)
            if claimed is None or not attempts.record_success(failure_id=failure_id, number=claimed.attempt):
                raise RuntimeError("The failure could not be claimed.")
        return (time.perf_counter() - started) / count


def _insert(count: int, *, status: str, delay: str) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        values: dict[str, str | int] = {"name": NAME, "status": status, "count": count, "delay": delay}
        cursor.execute(_INSERT_FAILURES, values)
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(_INSERT_ATTEMPTS)
    return ids

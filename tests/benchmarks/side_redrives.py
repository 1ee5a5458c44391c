"""The functions of hotelagent that the benchmark `redrives` calls to retry many failures.

The module `contestants` runs these functions in a process with the development settings.
"""

import subprocess
import sys
import time
from functools import cache

from celery import current_app
from django.core.management import call_command
from django.db import connection

from dlq import services as failures
from dlq.kinds.registry import failure_kind
from dlq.models import Failure
from dlq.redrives import progress, services
from dlq.redrives.models import Redrive, RedriveStatus
from dlq.redrives.services import RedriveOptions
from dlq.selection import FailureSelection
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch
from tenants.services import create_hotel

SLUG, NAME = "bench", "bench.work"
#: Seconds between two runs of the dispatcher of due items, as in the schedule of Celery beat.
TICK = 5.0


@failure_kind(NAME)
def do_nothing(_failure: Failure) -> None: ...


def prepare() -> None:
    """Migrate the benchmark database."""
    call_command("migrate", verbosity=0)


def fill(count: int) -> None:
    """Store a permanent failure, and insert copies of the failure until the hotel has `count` failures."""
    create_hotel(slug=SLUG, name="Bench")
    with hotel_context(_hotel()), connection.cursor() as cursor:
        failures.capture(
            is_task=False, source="bench", name=NAME, payload={"n": 1}, error=ValueError("x"), retry=False
        )
        cursor.execute("SELECT * FROM dlq_failure LIMIT 0")
        names = [column.name for column in cursor.description]
        replaced = {"id": "tenants_uuid7()", "work_key": "'copy-' || number"}
        values = [replaced.get(name, f"original.{name}") for name in names]
        cursor.execute(
            f"INSERT INTO dlq_failure ({', '.join(names)}) SELECT {', '.join(values)} "
            f"FROM generate_series(2, {count}) AS number, (SELECT * FROM dlq_failure LIMIT 1) AS original"
        )
        cursor.execute("ANALYZE dlq_failure")


def schedule(count: int) -> float:
    """Schedule the retries of all failures with one operation (a redrive), and return the duration in seconds.

    Afterwards cancel the redrive and delete its due items, so that the benchmark can repeat the measurement.
    """
    with hotel_context(_hotel()):
        # No worker runs, so the redrive must not wait for the results of retries.
        progress.MAX_PENDING, progress.SECONDS = 10**6, 600.0
        started = time.perf_counter()
        redrive = _start()
        progress.advance(redrive_id=redrive.id)
        seconds = time.perf_counter() - started
        redrive.refresh_from_db()
        if redrive.scheduled != count:
            raise RuntimeError(f"{redrive.scheduled} retries were scheduled.")
        services.cancel(redrive_id=redrive.id)
    with platform_context():
        DueItem.objects.all().delete()
    return seconds


def redrive_all(count: int) -> float:
    """Retry all failures with one operation (a redrive). Return the seconds until the redrive has ended.

    A Celery worker with two processes executes the retries.
    """
    module = "tests.benchmarks.side_redrives"
    options = ["--include", module, "--pool", "prefork", "--concurrency", "2", "--loglevel", "CRITICAL"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "--quiet", "-A", "hotelagent.celery", "worker", *options]
    )
    try:
        while not current_app.control.ping(timeout=0.5):
            pass
        started = time.perf_counter()
        with hotel_context(_hotel()):
            redrive = _start()
        ticks = 0
        while redrive.status not in {RedriveStatus.FINISHED, RedriveStatus.STOPPED}:
            time.sleep(0.1)
            if time.perf_counter() - started > ticks * TICK:
                ticks += 1
                with platform_context():
                    dispatch.dispatch_due_items()
            with hotel_context(_hotel()):
                redrive.refresh_from_db()
        seconds = time.perf_counter() - started
    finally:
        worker.terminate()
        worker.wait(30)
    if redrive.succeeded != count:
        raise RuntimeError(f"{redrive.succeeded} retries succeeded, and {redrive.failed} failed.")
    return seconds


def _start() -> Redrive:
    return services.start(selection=FailureSelection(name=NAME), options=RedriveOptions())


@cache
def _hotel() -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug=SLUG)

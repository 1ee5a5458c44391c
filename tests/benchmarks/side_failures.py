"""The functions of hotelagent for the benchmark `failures`, which stores failed tasks in the dead-letter queue.

The module `contestants` runs these functions in a process with the development settings.
"""

import time
import uuid
from functools import cache

from celery import shared_task
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dlq.models import Attempt, Failure
from tenants.context import Tenant, hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tenants.queue.celery_task import HotelTask
from tenants.services import create_hotel
from tests.benchmarks.harness import raise_error


@shared_task(base=HotelTask, name="tests.benchmarks.fail")
def fail(number: int, guest: str) -> None:
    raise_error(number)


def prepare() -> None:
    """Migrate the benchmark database."""
    call_command("migrate", verbosity=0)


def add_hotel(slug: str) -> None:
    create_hotel(slug=slug, name="Bench")


@cache
def _tenant(slug: str) -> Tenant:
    with platform_context():
        return Hotel.objects.get(slug=slug).tenant


def fill_group(slug: str, count: int) -> None:
    """Store a failure, and insert copies of the failure until the group has `count` failures.

    The attempt and the due item of the failure are also copied.
    """
    capture_once(slug, -1)
    copies = "(SELECT id AS copy_id FROM dlq_failure WHERE work_key LIKE 'copy-%') AS copies"
    with hotel_context(_tenant(slug)), connection.cursor() as cursor:
        for table, replaced, source in (
            (
                "dlq_failure",
                {"id": "tenants_uuid7()", "work_key": "'copy-' || number"},
                f"generate_series(2, {count}) AS number",
            ),
            ("dlq_attempt", {"id": "tenants_uuid7()", "failure_id": "copy_id"}, copies),
            ("public.tenants_dueitem", {"item_id": "copy_id"}, copies),
        ):
            cursor.execute(f"SELECT * FROM {table} LIMIT 0")
            names = [column.name for column in cursor.description]
            values = [replaced.get(name, f"original.{name}") for name in names]
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} "
                f"FROM {source}, (SELECT * FROM {table} LIMIT 1) AS original"
            )
        cursor.execute("ANALYZE dlq_failure; ANALYZE dlq_attempt")


def capture_once(slug: str, number: int) -> float:
    """Store the failure of one task as a worker does, and return the duration in seconds."""
    task_id = str(uuid.uuid4())
    fail.push_request(
        id=task_id,
        args=[number],
        kwargs={"guest": "Ana"},
        hostname="w@bench",
        headers={"hotel": str(_tenant(slug).id)},
    )
    try:
        raise_error(number)
    except LookupError as error:
        started = time.perf_counter()
        is_stored = fail.try_report_failure(error)
        seconds = time.perf_counter() - started
    finally:
        fail.pop_request()
    if not is_stored:
        raise RuntimeError("The failure was not stored.")
    return seconds


def capture(slug: str, times: int) -> float:
    """Store `times` failures of a task, and delete them. Return the mean time in seconds for storing a failure."""
    with hotel_context(_tenant(slug)):
        last = Failure.objects.order_by("id").values_list("id", flat=True).last()
    seconds = sum(capture_once(slug, number) for number in range(times)) / times
    with hotel_context(_tenant(slug)):
        captured = Failure.objects.filter(id__gt=last) if last else Failure.objects.all()
        ids = list(captured.values_list("id", flat=True))
        if len(ids) != times:
            raise RuntimeError(f"{len(ids)} of {times} failures were stored.")
        Attempt.objects.filter(failure__in=ids).delete()
        captured.delete()
    with platform_context():
        if DueItem.objects.filter(item_id__in=ids).delete()[0] != times:
            raise RuntimeError("Due items are missing.")
    return seconds


def statements(slug: str) -> float:
    """Return the number of SQL statements that are executed to store one failure.

    Another failure is stored first, so that statements that only fill caches do not count.
    """
    capture_once(slug, -1)
    with CaptureQueriesContext(connection) as queries:
        capture_once(slug, -1)
    return float(len(queries))

"""The functions of hotelagent that are measured by the benchmarks of the due queue and of sending reminders.

The module `contestants` runs these functions in a process with the development settings.
"""

import subprocess
import sys
import time
from datetime import timedelta
from functools import cache

from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hotelagent.embedded import paths
from reminders.models import LateBookingPolicy, Reminder, Reservation, Rule
from reminders.planning import planner
from tenants import services, tasks
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch

BATCH_SIZE = 100


def prepare() -> None:
    """Migrate the benchmark database."""
    call_command("migrate", verbosity=0)


# The due queue.


def set_hotel_count(count: int) -> None:
    """Delete all hotels, and insert `count` hotels without schemas.

    Each hotel gets ten due items. The items become due in an hour.
    """
    with platform_context(), connection.cursor() as cursor:
        Hotel.objects.all().delete()
        Hotel.objects.bulk_create(
            Hotel(slug=f"bench-{n}", name="Bench", schema=f"bench_{n}", status="active") for n in range(count)
        )
        cursor.execute(
            "INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims) "
            "SELECT id, 'reminder', gen_random_uuid(), now() + interval '1 hour', now() + interval '1 hour', 0 "
            "FROM tenants_hotel, generate_series(1, 10)"
        )
        cursor.execute("ANALYZE tenants_dueitem; ANALYZE tenants_hotel")


def idle_tick(times: int) -> float:
    """Return the time in seconds that one run of the scheduler task `tenants.tasks.tick` takes while nothing is due."""
    with platform_context():
        started = time.perf_counter()
        for _ in range(times):
            tasks.tick()
        return (time.perf_counter() - started) / times


def statements_of_idle_tick() -> float:
    """Return the number of SQL statements (except BEGIN and COMMIT) of the scheduler task while nothing is due."""
    with platform_context(), CaptureQueriesContext(connection) as queries:
        tasks.tick()
    return float(len([query for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]))


def claim(times: int) -> float:
    """Return the mean time in seconds for claiming a batch of due items, without releasing them."""
    seconds = 0.0
    with platform_context():
        for _ in range(times):
            started = time.perf_counter()
            with transaction.atomic():
                batches = dispatch.claim(limit=BATCH_SIZE)
            seconds += time.perf_counter() - started
            if sum(len(batch.ids) for batch in batches) != BATCH_SIZE:
                raise RuntimeError(f"The tick did not claim {BATCH_SIZE} items.")
            for batch in batches:
                dispatch.release(batch)
    return seconds / times


# Sending.


def create_hotels(count: int) -> None:
    """Create hotels in which one active reminder rule applies to every reservation of the benchmark."""
    for number in range(count):
        services.create_hotel(slug=f"bench-{number}", name="Hotel Bench", email="desk@example.com")
    with platform_context():
        hotels = list(Hotel.objects.all())
    for hotel in hotels:
        with hotel_context(hotel):
            Rule.objects.filter(offset_days=7).update(is_active=False)
            Rule.objects.update(late_policy=LateBookingPolicy.SEND_NOW, offset_days=3)


def make_due(hotels: int, each: int) -> None:
    """Replace all reminders: each of the first `hotels` hotels gets `each` reminders that are due now."""
    now = timezone.now()
    arrival = (now + timedelta(days=2)).date()
    with platform_context():
        DueItem.objects.all().delete()
        chosen = [Hotel.objects.get(slug=f"bench-{number}") for number in range(hotels)]
    for number, hotel in enumerate(chosen):
        with hotel_context(hotel), transaction.atomic():
            Reminder.objects.all().delete()
            Reservation.objects.all().delete()
            reservations = Reservation.objects.bulk_create(
                Reservation(
                    external_id=f"R{guest}",
                    arrival=arrival,
                    departure=arrival + timedelta(days=3),
                    adults=2,
                    guest_name=f"Ana Lima {guest}",
                    guest_email=f"guest{guest}@example.com",
                    booked_on=now.date(),
                )
                for guest in range(number * each, (number + 1) * each)
            )
            planner.plan_reminders(reservations, now=now, are_new=True)
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("ANALYZE tenants_dueitem")


def dispatch_due() -> None:
    """Send the due items to the workers, as a Celery beat task does every few seconds."""
    with platform_context():
        tasks.tick()


def count_due() -> float:
    """Return the number of due items that all hotels together have."""
    with platform_context():
        return float(DueItem.objects.count())


@cache
def _workers() -> "list[subprocess.Popen[bytes]]":
    return [
        subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "hotelagent", "worker", "--pool=threads", "--concurrency=5",
             "--loglevel=ERROR", "--without-gossip", "--without-mingle", f"--hostname=bench-{number}"],
            cwd=paths.CHECKOUT,
        )
        for number in range(2)
    ]  # fmt: skip


def start_workers() -> None:
    """Start two Celery workers with five threads each.

    django-post-office also sends with two processes and five threads each, so that the comparison is fair.
    """
    _workers()


def stop_workers() -> None:
    """Stop the Celery workers and wait until their processes have ended."""
    for worker in _workers():
        worker.terminate()
    for worker in _workers():
        worker.wait()

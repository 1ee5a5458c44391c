"""Sending and the due queue when they are measured. Run by `contestants`, with Django set up."""

import smtplib
import subprocess
import sys
import time
from datetime import timedelta
from email import message_from_bytes
from functools import cache

from django.conf import settings
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

GUEST = "guest{}@example.com"


def prepare() -> None:
    call_command("migrate", verbosity=0)


# The due queue.


def hotel_rows(count: int) -> None:
    """So many hotels in all, as far as the queue knows: each with ten items that are not due for an hour."""
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
    """Seconds a tick that finds nothing due."""
    with platform_context():
        began = time.perf_counter()
        for _ in range(times):
            tasks.tick()
        return (time.perf_counter() - began) / times


def statements_of_idle_tick() -> float:
    with platform_context(), CaptureQueriesContext(connection) as queries:
        tasks.tick()
    return float(len([q for q in queries if q["sql"] not in ("BEGIN", "COMMIT")]))


def claim(times: int) -> float:
    """Seconds to claim a hundred that are due; that they are due again afterwards is not counted."""
    took = 0.0
    with platform_context():
        for _ in range(times):
            began = time.perf_counter()
            with transaction.atomic():
                batches = dispatch.claim(limit=100)
            took += time.perf_counter() - began
            if sum(len(batch.ids) for batch in batches) != 100:
                raise RuntimeError("A hundred were to be due.")
            for batch in batches:
                dispatch.release(batch)
    return took / times


# Sending.


def make_hotels(start: int, stop: int) -> None:
    for number in range(start, stop):
        services.create_hotel(slug=f"bench-{number}", name="Hotel Bench", email="desk@example.com")
    with platform_context():
        mine = [_hotel(number) for number in range(start, stop)]
    for hotel in mine:
        with hotel_context(hotel):
            Rule.objects.filter(offset_days=7).update(is_active=False)
            Rule.objects.update(late_policy=LateBookingPolicy.SEND_NOW, offset_days=3)


def _hotel(number: int) -> Hotel:
    return Hotel.objects.get(slug=f"bench-{number}")


def make_due(hotels: int, each: int) -> None:
    """So many reminders are due in each of the first hotels, and no others anywhere."""
    now = timezone.now()
    arrival = (now + timedelta(days=2)).date()
    with platform_context():
        DueItem.objects.all().delete()
        chosen = [_hotel(number) for number in range(hotels)]
    for number, hotel in enumerate(chosen):
        with hotel_context(hotel), transaction.atomic():
            Reminder.objects.all().delete()
            Reservation.objects.all().delete()
            reservations = Reservation.objects.bulk_create(
                Reservation(
                    external_id=f"R{guest}", arrival=arrival, departure=arrival + timedelta(days=3), adults=2,
                    guest_name=f"Ana Lima {guest}", guest_email=GUEST.format(guest), booked_on=now.date(),
                )
                for guest in range(number * each, (number + 1) * each)
            )  # fmt: skip
            planner.plan_reminders(reservations, now=now, are_new=True)
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("ANALYZE tenants_dueitem")


def hand_out() -> None:
    """What beat does when it is time."""
    with platform_context():
        tasks.tick()


def left() -> float:
    """How many are still due."""
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
    """Two processes with as many mails in flight as django-post-office has in its two."""
    _workers()


def stop_workers() -> None:
    for worker in _workers():
        worker.terminate()
    for worker in _workers():
        worker.wait()


def send_bare(mails: list[bytes], as_messages: bool) -> float:
    """Seconds to send what is rendered, over one connection, and to keep no account of it.

    `as_messages`: by `send_message`, which writes a message down as it sends it; else the bytes as they are.
    """
    messages = [message_from_bytes(mail) for mail in mails]
    began = time.perf_counter()
    with smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT) as session:
        for message, mail in zip(messages, mails, strict=True):
            if as_messages:
                session.send_message(message)
            else:
                session.sendmail("no-reply@localhost", [message["To"]], mail)
    return time.perf_counter() - began

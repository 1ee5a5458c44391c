"""The functions of the benchmark `audit_events` that use django-auditlog with the app `peer_holds`."""

import datetime
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from auditlog.cid import set_cid
from auditlog.context import set_actor
from auditlog.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from tests.benchmarks.peer_holds.models import Hold, Room
from tests.benchmarks.side_audit_common import EVENTS_PER_HOLD, call_on_threads

NIGHT = datetime.timedelta(days=1)


def prepare() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    _users().create(username="rosa")


def _users() -> Any:
    return get_user_model()._default_manager


@contextmanager
def _as_rosa() -> Iterator[None]:
    request = HttpRequest()
    request.META["HTTP_X_CORRELATION_ID"] = str(uuid4())
    set_cid(request)
    with set_actor(_users().get(), remote_addr="192.0.2.7"):
        yield


def _saver(number: int) -> Callable[[], None]:
    """Return a function that extends a hold and saves it. django-auditlog records each save."""
    room, _created = Room.objects.get_or_create(number=str(number))
    today = timezone.now().date()
    hold, _created = Hold.objects.get_or_create(
        room=room,
        defaults={
            "nights": (today, today + NIGHT),
            "status": "held",
            "holder": "key:1",
            "token_digest": "0" * 64,
            "expires_at": timezone.now(),
        },
    )

    def save() -> None:
        hold.expires_at += datetime.timedelta(seconds=1)
        hold.save()

    return save


def record_events(count: int) -> float:
    """Save a hold `count` times in one transaction. Return the duration in seconds."""
    with _as_rosa(), transaction.atomic():
        save = _saver(0)
        save()
        started = time.perf_counter()
        for _ in range(count):
            save()
        seconds = time.perf_counter() - started
        transaction.set_rollback(True)
    return seconds


def write(writers: int, seconds: float) -> float:
    """Save tracked models on several threads, each in its own transaction. Return the number of saves per second."""
    return call_on_threads(_writer, threads=writers, seconds=seconds)


@contextmanager
def _writer(number: int) -> Iterator[Callable[[], None]]:
    with _as_rosa():
        yield _saver(number)


def bytes_per_event(count: int) -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('auditlog_logentry')")
        before, stored = cursor.fetchone()[0], LogEntry.objects.count()
        for number in range(count // EVENTS_PER_HOLD):
            with _as_rosa():
                save = _saver(1_000 + number)  # the creation of the hold is the first log entry
                for _ in range(EVENTS_PER_HOLD - 1):
                    save()
        cursor.execute("SELECT pg_total_relation_size('auditlog_logentry')")
        after = cursor.fetchone()[0]
    return float((after - before) / (LogEntry.objects.count() - stored))

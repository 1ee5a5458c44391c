"""Tests of Celery beat: how one process is elected as the leader, and how long its lease lasts."""

import contextlib
import datetime
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from hotelagent import beat
from hotelagent.celery import app
from tenants.context import platform_context
from tenants.database.clock import database_now
from tenants.models import Lease, User
from tenants.queue import leases
from tenants.scopes import Role

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    monkeypatch.setattr(
        beat.LeadingScheduler,
        "apply_async",
        lambda self, entry, **_options: sent.append(f"{self.holder}:{entry.task}"),
    )
    return sent


def scheduler(name: str) -> beat.LeadingScheduler:
    scheduler = beat.LeadingScheduler(app=app)
    scheduler.holder = name
    scheduler._finalize.cancel()  # the finalizer would use the database at exit, when the database no longer exists
    return scheduler


def tick_repeatedly(scheduler: beat.LeadingScheduler) -> None:
    for _ in range(12):
        scheduler.tick()


def test_migrate_creates_the_periodic_tasks() -> None:
    with platform_context():
        tick = PeriodicTask.objects.get(name="tenants.tasks.tick")
        assert (tick.interval.every, tick.interval.period, tick.enabled) == (5, "seconds", True)


def make_all_tasks_due() -> None:
    """Set the last run of all periodic tasks to the year 2000, so that all tasks are due."""
    with platform_context():
        PeriodicTask.objects.update(last_run_at="2000-01-01T00:00Z")


def test_second_scheduler_sends_no_tasks_while_the_first_is_the_leader(sent: list[str]) -> None:
    make_all_tasks_due()
    first, second = scheduler("first"), scheduler("second")
    tick_repeatedly(first)
    tick_repeatedly(second)
    assert "first:tenants.tasks.tick" in sent
    assert not [task for task in sent if task.startswith("second")]


def test_second_scheduler_takes_over_within_30_seconds_after_the_leader_died(sent: list[str]) -> None:
    first, second = scheduler("first"), scheduler("second")
    tick_repeatedly(first)
    assert beat.LEASE_SECONDS + beat.RENEW_SECONDS < 30
    sent.clear()
    with platform_context():
        Lease.objects.update(expires_at="2000-01-01T00:00Z")
    make_all_tasks_due()
    tick_repeatedly(second)
    assert "second:tenants.tasks.tick" in sent
    tick_repeatedly(first)  # the former leader was only paused
    assert not [task for task in sent if task.startswith("first")]
    assert not first.is_leader


def test_leader_releases_its_lease_when_its_scheduler_is_closed(sent: list[str]) -> None:
    first, second = scheduler("first"), scheduler("second")
    tick_repeatedly(first)
    first.close()
    second.tick()
    assert second.is_leader


def test_scheduler_continues_after_the_database_was_unavailable(sent: list[str]) -> None:
    only = scheduler("only")
    tick_repeatedly(only)
    with platform_context(), connection.cursor() as cursor, contextlib.suppress(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    sent.clear()
    only.tick()
    assert not only.is_leader
    make_all_tasks_due()
    tick_repeatedly(only)
    assert "only:tenants.tasks.tick" in sent


@pytest.mark.parametrize("is_leader", [True, False])
def test_tick_touches_the_heartbeat_file_of_leaders_and_standbys(
    is_leader: bool, sent: list[str], tmp_path: Path, settings: Any
) -> None:
    first, second = scheduler("first"), scheduler("second")
    first.tick()
    file = tmp_path / "beat"
    settings.BEAT_HEARTBEAT_FILE = str(file)
    beats = first if is_leader else second
    beats.tick()
    assert beats.is_leader is is_leader
    os.utime(file, (0, 0))
    beats.tick()
    assert time.time() - file.stat().st_mtime < 60


@pytest.fixture
def exits_on_sigterm() -> Iterator[None]:
    """Handle SIGTERM like Celery beat, which raises SystemExit, and restore the handler of pytest afterwards."""

    def exit_process(_number: int, _frame: object) -> None:
        raise SystemExit

    previous = signal.signal(signal.SIGTERM, exit_process)
    yield
    signal.signal(signal.SIGTERM, previous)


@pytest.mark.usefixtures("exits_on_sigterm")
def test_sigterm_while_a_task_is_sent_stops_beat_after_the_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clean-up code that raises another exception, like that of a Redis connection, does not replace SystemExit."""
    sent: list[str] = []

    def send(_scheduler: object, entry: beat.DatabaseTimeEntry, **_options: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
            sent.append(entry.task)
        finally:
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(beat.LeadingScheduler, "apply_async", send)
    make_all_tasks_due()
    only = scheduler("only")
    with pytest.raises(SystemExit):
        tick_repeatedly(only)
    assert len(sent) == 1


@pytest.mark.usefixtures("exits_on_sigterm")
def test_sigterm_while_the_schedule_is_stored_stops_beat_after_the_last_query(sent: list[str]) -> None:
    only = scheduler("only")
    tick_repeatedly(only)
    make_all_tasks_due()
    only._dirty.update(only._schedule)

    def stop_at_first_update(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE"):
            signal.raise_signal(signal.SIGTERM)
        return execute(sql, *arguments)

    with connection.execute_wrapper(stop_at_first_update), pytest.raises(SystemExit):
        only.sync()
    with platform_context():
        assert not PeriodicTask.objects.enabled().filter(last_run_at__year=2000).exists()


def set_tick(**values: object) -> None:
    with platform_context():
        second = IntervalSchedule.objects.get_or_create(every=1, period="seconds")[0]
        PeriodicTask.objects.filter(name="tenants.tasks.tick").update(interval=second, **values)


def test_task_with_a_future_last_run_is_sent_after_its_interval(sent: list[str]) -> None:
    """The time of the last run is in the future if the clock of the previous leader's machine was fast."""
    set_tick(last_run_at=timezone.now() + datetime.timedelta(hours=1))
    only = scheduler("only")
    deadline = time.monotonic() + 30
    while "only:tenants.tasks.tick" not in sent:
        assert time.monotonic() < deadline
        time.sleep(max(0.0, min(only.tick(), 0.1)))


def test_beat_uses_the_database_clock_and_not_its_machines_clock(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = datetime.timedelta(hours=1)
    monkeypatch.setattr(beat, "database_now", lambda: database_now() - hour)
    set_tick(last_run_at=timezone.now() - hour - datetime.timedelta(seconds=10))
    only = scheduler("only")
    tick_repeatedly(only)
    assert "only:tenants.tasks.tick" in sent
    only.sync()
    with platform_context():
        stored = PeriodicTask.objects.get(name="tenants.tasks.tick").last_run_at
    assert abs(timezone.now() - hour - stored) < datetime.timedelta(minutes=1)


def test_task_is_sent_after_the_database_clock_was_set_back(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_tick(last_run_at="2000-01-01T00:00Z")
    only = scheduler("only")
    tick_repeatedly(only)
    sent.clear()
    monkeypatch.setattr(beat, "database_now", lambda: database_now() - datetime.timedelta(hours=1))
    deadline = time.monotonic() + 30
    while "only:tenants.tasks.tick" not in sent:
        assert time.monotonic() < deadline
        time.sleep(max(0.0, min(only.tick(), 0.1)))


def test_interval_changed_in_the_admin_is_used_by_a_running_scheduler(sent: list[str]) -> None:
    running = scheduler("running")
    make_all_tasks_due()
    tick_repeatedly(running)
    browser = Client(SERVER_NAME="localhost")
    with platform_context():
        browser.force_login(User.objects.create_user(username="ops", password=None, role=Role.PLATFORM))
        task = PeriodicTask.objects.get(name="tenants.tasks.tick")
        slow, fast = (
            IntervalSchedule.objects.get_or_create(every=every, period="seconds")[0] for every in (3600, 1)
        )

    def set_interval(interval: IntervalSchedule) -> None:
        form = {"enabled": "on", "interval": interval.pk, "description": task.description}
        url = f"/admin/django_celery_beat/periodictask/{task.pk}/change/"
        assert browser.post(url, form).status_code == 302

    set_interval(slow)
    running.tick()
    with platform_context():
        assert running.schedule[task.name].schedule.run_every == datetime.timedelta(hours=1)
    set_interval(fast)
    sent.clear()
    deadline = time.monotonic() + beat.RENEW_SECONDS
    while "running:tenants.tasks.tick" not in sent:
        assert time.monotonic() < deadline
        # Celery beat also sleeps for the time that `tick` returns.
        time.sleep(max(0.0, min(running.tick(), 0.1)))


def test_lease_can_be_acquired_by_a_second_holder_only_after_release(platform: None) -> None:
    assert leases.acquire(name="x", holder="a", seconds=20)
    assert leases.acquire(name="x", holder="a", seconds=20)
    assert not leases.acquire(name="x", holder="b", seconds=20)
    leases.release(name="x", holder="b")
    assert not leases.acquire(name="x", holder="b", seconds=20)
    leases.release(name="x", holder="a")
    assert leases.acquire(name="x", holder="b", seconds=20)

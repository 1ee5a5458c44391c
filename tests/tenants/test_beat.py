"""Two beats may run: one leads, the other takes over."""

import contextlib
import datetime
import time

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from hotelagent import beat
from hotelagent.celery import app
from tenants.context import platform_context
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
    made = beat.LeadingScheduler(app=app)
    made.holder = name
    made._finalize.cancel()  # or it would write when the test run's database is gone
    return made


def ticks(one: beat.LeadingScheduler) -> None:
    for _ in range(12):
        one.tick()


def test_the_rows_are_there_after_migrate() -> None:
    with platform_context():
        tick = PeriodicTask.objects.get(name="tenants.tasks.tick")
        assert (tick.interval.every, tick.interval.period, tick.enabled) == (5, "seconds", True)


def everything_is_due() -> None:
    """A task that was never sent counts from when `migrate` made its row, which may be a second ago."""
    with platform_context():
        PeriodicTask.objects.update(last_run_at="2000-01-01T00:00Z")


def test_one_leads_and_the_other_sends_nothing(sent: list[str]) -> None:
    everything_is_due()
    first, second = scheduler("first"), scheduler("second")
    ticks(first)
    ticks(second)
    assert "first:tenants.tasks.tick" in sent
    assert not [task for task in sent if task.startswith("second")]


def test_the_other_takes_over_in_under_thirty_seconds_when_the_leader_dies(sent: list[str]) -> None:
    first, second = scheduler("first"), scheduler("second")
    ticks(first)
    assert beat.LEASE_SECONDS + beat.RENEW_SECONDS < 30
    sent.clear()
    with platform_context():
        Lease.objects.update(expires_at="2000-01-01T00:00Z")
    everything_is_due()
    ticks(second)
    assert "second:tenants.tasks.tick" in sent
    ticks(first)  # it was only stopped, and goes on
    assert not [task for task in sent if task.startswith("first")]
    assert not first.is_leader


def test_a_leader_that_ends_gives_the_lease_back_at_once(sent: list[str]) -> None:
    first, second = scheduler("first"), scheduler("second")
    ticks(first)
    first.close()
    second.tick()
    assert second.is_leader


def test_it_waits_for_a_database_that_went_away_and_goes_on(sent: list[str]) -> None:
    only = scheduler("only")
    ticks(only)
    with platform_context(), connection.cursor() as cursor, contextlib.suppress(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    sent.clear()
    only.tick()
    assert not only.is_leader
    everything_is_due()
    ticks(only)
    assert "only:tenants.tasks.tick" in sent


def test_an_interval_that_staff_change_counts_from_the_next_tick(sent: list[str]) -> None:
    """In the platform's admin, while beat runs: nothing is restarted."""
    running = scheduler("running")
    everything_is_due()
    ticks(running)
    browser = Client(SERVER_NAME="localhost")
    with platform_context():
        browser.force_login(User.objects.create_user(username="ops", password=None, role=Role.PLATFORM))
        task = PeriodicTask.objects.get(name="tenants.tasks.tick")
        slow, fast = (
            IntervalSchedule.objects.get_or_create(every=every, period="seconds")[0] for every in (3600, 1)
        )

    def set_interval(interval: IntervalSchedule) -> None:
        form = {"enabled": "on", "interval": interval.pk, "description": task.description}
        address = f"/admin/django_celery_beat/periodictask/{task.pk}/change/"
        assert browser.post(address, form).status_code == 302

    set_interval(slow)
    running.tick()
    with platform_context():
        assert running.schedule[task.name].schedule.run_every == datetime.timedelta(hours=1)
    set_interval(fast)
    sent.clear()
    until = time.monotonic() + beat.RENEW_SECONDS
    while "running:tenants.tasks.tick" not in sent:
        assert time.monotonic() < until
        time.sleep(max(0.0, min(running.tick(), 0.1)))  # as beat's own loop does


def test_a_lease_is_held_by_one(platform: None) -> None:
    assert leases.acquire(name="x", holder="a", seconds=20)
    assert leases.acquire(name="x", holder="a", seconds=20)
    assert not leases.acquire(name="x", holder="b", seconds=20)
    leases.release(name="x", holder="b")
    assert not leases.acquire(name="x", holder="b", seconds=20)
    leases.release(name="x", holder="a")
    assert leases.acquire(name="x", holder="b", seconds=20)

"""Tests of the leader election between two Celery beat processes.

`make chaos` uses the lease duration of a deployment, and `make test` a shorter one.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from hotelagent import beat
from tenants.models import Hotel
from tests.chaos.hotels import read_due_queue_every_second
from tests.chaos.process_starter import ProcessStarter
from tests.chaos.processes import BEAT_LEASE, BEAT_RENEWAL
from tests.chaos.test_reminders import IS_LONG
from tests.servers import PgBouncer
from tests.tenants import sql

QUEUE = f"{settings.REDIS_KEY_PREFIX}:celery"
LEASE, RENEWAL = (beat.LEASE_SECONDS, beat.RENEW_SECONDS) if IS_LONG else (BEAT_LEASE, BEAT_RENEWAL)
MAX_TAKEOVER = 30  # seconds


@pytest.fixture
def starter(hotel: Hotel, pgbouncer: PgBouncer, tmp_path: Path) -> Iterator[ProcessStarter]:
    """Return an object that starts processes which use the database of the tests.

    The schedule is changed so that Celery beat sends the task `tick` every second.
    """
    read_due_queue_every_second()
    with ProcessStarter({"DATABASE_URL": pgbouncer.url}, log=tmp_path / "log") as starter:
        yield starter


def leader() -> int | None:
    """Return the process id of the leading Celery beat, or None if no beat holds the lease."""
    rows = sql.query("SELECT holder FROM tenants_lease WHERE name = 'beat'")
    return int(rows[0][0].split(":")[1]) if rows else None


@pytest.mark.pooler
@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_second_celery_beat_takes_over_within_thirty_seconds_after_a_kill(
    starter: ProcessStarter, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as broker:
        first = starter.start_beat(lease=LEASE, renewal=RENEWAL)
        wait_until(lambda: leader() == first)
        second = starter.start_beat(lease=LEASE, renewal=RENEWAL)
        wait_until(lambda: broker.llen(QUEUE))
        os.killpg(first, signal.SIGKILL)
        seconds = wait_until(lambda: leader() == second)
        broker.delete(QUEUE)
        wait_until(lambda: broker.llen(QUEUE))  # the second beat process sends tasks
    print(f"\nThe second beat took over {seconds:.1f} s after the leader was killed.")
    assert seconds < MAX_TAKEOVER


def wait_until(condition: Callable[[], object]) -> float:
    """Wait until the condition is true, and return the time in seconds that this took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < 60
        time.sleep(0.05)
    return time.monotonic() - started

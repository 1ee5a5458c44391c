"""Tests of the leader election between two Celery beat processes.

`make chaos` uses the lease duration of a deployment, and `make test` a shorter one.
"""

import os
import signal
import time
from collections.abc import Callable

import pytest
import redis
from django.conf import settings

from hotelagent import beat
from tests import servers
from tests.chaos.mail_server import mail_server
from tests.chaos.processes import BEAT_LEASE, BEAT_RENEWAL
from tests.chaos.reminders import deployment
from tests.chaos.test_reminders import IS_LONG

QUEUE = f"{settings.REDIS_KEY_PREFIX}:celery"
LEASE, RENEWAL = (beat.LEASE_SECONDS, beat.RENEW_SECONDS) if IS_LONG else (BEAT_LEASE, BEAT_RENEWAL)
MAX_TAKEOVER = 30  # seconds


@pytest.mark.timeout(300)
def test_second_celery_beat_takes_over_within_thirty_seconds_after_the_leader_is_killed() -> None:
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with (
        mail_server() as server,
        deployment(server, hotels=1, reminders=2) as running,
        redis.Redis.from_url(running.servers.valkey.url()) as broker,
    ):
        first = running.start_beat(lease=LEASE, renewal=RENEWAL)
        wait_until(lambda: running.leader() == first)
        second = running.start_beat(lease=LEASE, renewal=RENEWAL)
        wait_until(lambda: broker.llen(QUEUE))
        os.killpg(first, signal.SIGKILL)
        seconds = wait_until(lambda: running.leader() == second)
        broker.delete(QUEUE)
        wait_until(lambda: broker.llen(QUEUE))  # the second beat sends tasks
        print(f"\nThe second beat took over {seconds:.1f} s after the leader was killed.")
        assert seconds < MAX_TAKEOVER


def wait_until(condition: Callable[[], object]) -> float:
    """Wait until the condition is true, and return the time in seconds that this took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < 60
        time.sleep(0.05)
    return time.monotonic() - started

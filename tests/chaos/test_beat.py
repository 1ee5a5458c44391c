"""Two beats that are processes: when the one that leads is killed, the other sends.

`make chaos` takes the lease that a deployment has, the tests a shorter one.
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
from tests.chaos.mails import mails
from tests.chaos.program import BEAT_LEASE, BEAT_RENEWS
from tests.chaos.test_reminders import LONG
from tests.chaos.town import town

QUEUE = f"{settings.REDIS_KEY_PREFIX}:celery"
LEASE, RENEWS = (beat.LEASE_SECONDS, beat.RENEW_SECONDS) if LONG else (BEAT_LEASE, BEAT_RENEWS)


@pytest.mark.timeout(300)
def test_the_other_takes_over_in_under_thirty_seconds_when_the_leader_is_killed() -> None:
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with (
        mails() as server,
        town(server, hotels=1, reminders=2) as place,
        redis.Redis.from_url(place.servers.valkey.url()) as broker,
    ):
        first = place.start_beat(lease=LEASE, renews=RENEWS)
        awaited(lambda: place.leader() == first)
        second = place.start_beat(lease=LEASE, renews=RENEWS)
        awaited(lambda: broker.llen(QUEUE))
        os.killpg(first, signal.SIGKILL)
        took = awaited(lambda: place.leader() == second)
        broker.delete(QUEUE)
        awaited(lambda: broker.llen(QUEUE))  # it sends ticks
        print(f"\ntook over {took:.1f} s after the leader was killed")
        assert took < 30


def awaited(reached: Callable[[], object]) -> float:
    """Seconds until it is so."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < 60
        time.sleep(0.05)
    return time.monotonic() - began

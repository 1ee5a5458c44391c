"""Test that tasks run in the right tenant in Celery's forked processes.

One process runs tasks of several hotels in turn.
"""

import time

import pytest
import redis

from hotelagent.celery import app
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tests.broker import close_broker_connections
from tests.programs import running_python
from tests.tenants.prefork import REPORTS, report

TASKS = 30


@pytest.mark.django_db(transaction=True)
def test_task_in_a_forked_process_runs_in_the_context_of_its_sender(
    hotel: Hotel, other_hotel: Hotel, redis_url: str
) -> None:
    senders = {
        "alpha": lambda: hotel_context(hotel),
        "beta": lambda: hotel_context(other_hotel),
        "": platform_context,
    }
    app.conf.update(broker_url=redis_url)
    for number in range(TASKS):
        for name, context in senders.items():
            with context():
                report.delay(name, fail=number % 5 == 0)
    with (
        redis.Redis.from_url(redis_url) as client,
        running_python(
            *("-m", "celery", "--quiet", "-A", "hotelagent.celery", "worker"),
            *("--include", "tests.tenants.prefork"),
            *("--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle"),
            *("--loglevel", "CRITICAL"),
        ) as worker,
    ):
        close_broker_connections()
        deadline = time.monotonic() + 60
        while client.llen(REPORTS) < 3 * TASKS and time.monotonic() < deadline:
            time.sleep(0.05)
        worker.stop(timeout=15)
        reports = [line.decode().split("|") for line in client.lrange(REPORTS, 0, -1)]
    assert len(reports) == 3 * TASKS
    assert {tuple(line[:4]) for line in reports} == {
        ("alpha", "alpha", hotel.schema, hotel.role),
        ("beta", "beta", other_hotel.schema, other_hotel.role),
        ("", "", "public", "hotelagent_app"),
    }
    assert len({line[4] for line in reports}) == 2

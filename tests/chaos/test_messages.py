"""Test that no message is lost: each message is done, queued, or stored as a failure of its own hotel.

A worker is killed at each step of processing a message, PostgreSQL is unavailable for a while, and Redis is killed.
"""

import base64
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from dlq.models import Failure
from hotelagent.celery import app
from tenants.context import hotel_context
from tenants.models import Hotel
from tenants.queue.celery_task import HOTEL_HEADER
from tests.broker import SeparateRedis, close_broker_connections, pending_messages
from tests.chaos.messages import DONE, MOMENTS, UNKNOWN, fail, succeed
from tests.chaos.process_starter import ProcessStarter
from tests.dlq.workers import database_outage

pytestmark = pytest.mark.django_db(transaction=True)

#: Options with which Redis stores each change in a file before it replies. Without them, a crash can lose changes.
DURABLE = "appendonly yes\nappendfsync always\n"
TASKS = (succeed.name, fail.name, UNKNOWN)
UNMODIFIED_KOMBU = {"broker_transport": "redis"}


@dataclass
class Scenario:
    """The messages of two hotels, and the places in which the test searches for the messages afterwards.

    The argument of a message is its number.
    """

    broker: SeparateRedis
    starter: ProcessStarter
    done_file: Path
    hotels: tuple[Hotel, Hotel]
    sent: list[tuple[int, Hotel, str]] = field(default_factory=list)

    def send(self, count: int) -> None:
        """Send messages. Each hotel sends each task equally often."""
        for number in range(count):
            hotel, task = self.hotels[number % 2], TASKS[number // 2 % 3]
            app.send_task(task, [number], headers={HOTEL_HEADER: str(hotel.id)})
            self.sent.append((number, hotel, task))

    def messages(self) -> list[dict[str, Any]]:
        return pending_messages(self.broker.url)

    def queued(self) -> set[int]:
        return {json.loads(base64.b64decode(message["body"]))[0][0] for message in self.messages()}

    def done(self) -> set[int]:
        return set(map(int, self.done_file.read_text().split()))

    def failures(self, hotel: Hotel) -> set[int]:
        with hotel_context(hotel):
            return {payload["args"][0] for payload in Failure.objects.values_list("payload", flat=True)}

    def missing(self) -> set[int]:
        """Return the lost messages: they are not queued, not done, and not stored as failures of their hotel."""
        # A message never returns to the queue after it is done, so the queue is read first.
        found = self.queued() | self.done()
        return {number for number, hotel, _task in self.sent if number not in found | self.failures(hotel)}

    def kill_worker(self, moment: str, **worker_settings: Any) -> None:
        """Run a worker that kills itself at this step of processing a message. `MOMENTS` defines the steps."""
        assert self.starter.run("call", "run_killed_worker", moment, worker_settings) == -signal.SIGKILL

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, self.starter.log_tail()
            time.sleep(0.05)


@pytest.fixture(scope="module")
def starter_and_broker(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ProcessStarter, SeparateRedis]]:
    folder = tmp_path_factory.mktemp("messages")
    with SeparateRedis(folder / "valkey", persistence=DURABLE) as broker:
        environment = {"REDIS_URL": broker.url, DONE: str(folder / "done")}
        with ProcessStarter(environment, log=folder / "log") as starter:
            yield starter, broker


@pytest.fixture
def scenario(
    starter_and_broker: tuple[ProcessStarter, SeparateRedis],
    hotel: Hotel,
    other_hotel: Hotel,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scenario]:
    starter, broker = starter_and_broker
    with redis.Redis.from_url(broker.url) as client:
        client.flushall()
    done_file = broker.server.home.parent / "done"
    done_file.write_text("")
    monkeypatch.setattr(app.conf, "broker_url", broker.url)
    close_broker_connections()
    yield Scenario(broker, starter, done_file, (hotel, other_hotel))
    monkeypatch.undo()
    close_broker_connections()


def test_no_message_is_lost_when_workers_or_servers_are_killed(scenario: Scenario) -> None:
    scenario.send(60)
    for moment in MOMENTS:
        scenario.kill_worker(moment)
        assert not scenario.missing(), moment

    with database_outage():
        worker = scenario.starter.run("worker", "solo", 1)
        scenario.wait_until(
            lambda: any(message["headers"].get("redelivered") for message in scenario.messages())
        )
        os.killpg(worker, signal.SIGKILL)
    assert not scenario.missing()

    worker = scenario.starter.run("worker", "prefork", 2)
    done = scenario.done()
    scenario.wait_until(lambda: scenario.done() > done)
    scenario.broker.kill()
    scenario.broker.start()
    assert not scenario.missing()
    scenario.wait_until(lambda: not scenario.queued())
    os.killpg(worker, signal.SIGKILL)
    assert scenario.done() == {number for number, _hotel, task in scenario.sent if task == succeed.name}
    for hotel in scenario.hotels:
        expected = {
            number for number, owner, task in scenario.sent if owner == hotel and task != succeed.name
        }
        assert scenario.failures(hotel) == expected


def test_unmodified_kombu_loses_the_message_of_a_killed_worker(scenario: Scenario) -> None:
    scenario.send(2)
    scenario.kill_worker("the message is delivered", **UNMODIFIED_KOMBU)
    assert len(scenario.missing()) == 1

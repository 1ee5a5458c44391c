"""Tests of Celery's connection to Redis."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from kombu import Connection
from kombu.message import Message
from kombu.simple import SimpleQueue

from hotelagent.celery import app
from hotelagent.core.broker import MOVED, QoS, Transport
from hotelagent.embedded import paths
from tests.broker import SeparateRedis
from tests.core import killed_worker

TRANSPORT = "hotelagent.core.broker:Transport"
UNMODIFIED = "redis"  # the Redis transport of kombu


def received_message(connection: Connection) -> Message:
    """Return a received, unacknowledged Celery message. Its connection is lost and only partly closed.

    kombu leaves a connection in this state if closing a channel fails before the transport is closed.
    """
    queue = SimpleQueue(connection.default_channel, "test-broker")
    queue.put("message")
    message = queue.get(timeout=30)
    channel: Any = connection.default_channel
    channel.qos._on_collect.cancel()  # otherwise kombu puts the message back into the queue when the tests end
    channel._disconnect_pools()
    connection._do_close_transport()
    return message


def test_celery_uses_the_redis_transport_of_this_project() -> None:
    assert isinstance(app.connection_for_read().transport, Transport)


def test_acknowledgement_on_a_partly_closed_connection_raises_a_connection_error() -> None:
    connection = Connection(settings.REDIS_URL, transport=Transport)
    message = received_message(connection)
    with pytest.raises(connection.connection_errors):
        message.ack()


def test_unmodified_kombu_raises_attribute_error_if_the_connection_is_partly_closed() -> None:
    """If this test fails, kombu has fixed the bug, and `Channel._connparams` is no longer needed."""
    message = received_message(Connection(settings.REDIS_URL))
    with pytest.raises(AttributeError, match="hostname"):
        message.ack()


def queued_after_kill(moment: str, *, transport: str) -> int:
    """Send a message to a worker that kills itself at the step `moment`, and restore unacknowledged messages.

    Return the resulting length of the queue.
    """
    url = settings.REDIS_URL
    killed_worker.create_app(url, transport).send_task(killed_worker.TASK)
    worker = subprocess.run(
        [sys.executable, "-m", "tests.core.killed_worker", transport, moment],
        cwd=paths.CHECKOUT, env={**os.environ, "REDIS_URL": url}, timeout=60, check=False,
    )  # fmt: skip
    assert worker.returncode == -signal.SIGKILL
    with Connection(url, transport=transport, transport_options={"visibility_timeout": 0}) as connection:
        channel: Any = connection.default_channel
        channel.qos.restore_visible()
        length: int = channel._size(killed_worker.QUEUE)
        return length


@pytest.mark.parametrize("moment", ["reply arrives", "message is delivered", "message is acknowledged"])
def test_message_of_a_worker_that_is_killed_returns_to_its_queue(moment: str) -> None:
    assert queued_after_kill(moment, transport=TRANSPORT) == 1


def test_unmodified_kombu_loses_the_message_of_a_worker_that_is_killed() -> None:
    """If this test fails, kombu has fixed the bug, and most of `hotelagent.core.broker` is no longer needed."""
    assert queued_after_kill("message is delivered", transport=UNMODIFIED) == 0


def test_acknowledged_message_is_not_redelivered_after_its_worker_is_killed() -> None:
    assert queued_after_kill("message is deleted", transport=TRANSPORT) == 0


def test_worker_that_is_killed_while_it_restores_messages_blocks_other_workers_for_at_most_ten_seconds(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {
        **settings.CELERY_BROKER_TRANSPORT_OPTIONS,
        "visibility_timeout": 0,
        "global_keyprefix": "test:",
    }
    milliseconds: list[int] = []
    with (
        Connection(redis_url, transport=Transport, transport_options=options) as connection,
        redis.Redis.from_url(redis_url) as client,
    ):
        queue = connection.SimpleQueue("test-broker")
        queue.put("message")
        queue.get(timeout=10)
        with monkeypatch.context() as patch:
            patch.setattr(
                QoS,
                "restore_by_tag",
                lambda *_arguments: milliseconds.append(client.pttl("test:unacked_mutex")),
            )
            channel: Any = connection.default_channel
            channel.qos.restore_visible()
    assert len(milliseconds) == 1
    assert 0 < milliseconds[0] <= 10_000


def connect(url: str = settings.REDIS_URL, **options: Any) -> Connection:
    """Return a connection to Redis. A consumer of this connection waits up to a minute for a message."""
    connection = Connection(
        url, transport=Transport, transport_options={"global_keyprefix": "test:", **options}
    )
    transport: Any = connection.transport
    transport.brpop_timeout = 60
    return connection


def wait_until_blocked(client: "redis.Redis", command: str, count: int = 1) -> None:
    """Wait until `count` Redis clients are blocked in the given command."""
    deadline = time.monotonic() + 10
    while sum(row["cmd"] == command and "b" in row["flags"] for row in client.client_list()) != count:
        assert time.monotonic() < deadline, client.client_list()
        time.sleep(0.01)


def get_in_thread(queue: Any) -> tuple[threading.Thread, list[Any]]:
    """Wait for a message of the queue in a thread. Return the thread and the list that will contain the message."""
    received: list[Any] = []
    thread = threading.Thread(target=lambda: received.append(queue.get(timeout=10)))
    thread.start()
    return thread, received


@pytest.fixture
def separate_redis(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a Redis server that only this test uses, so the test can limit its memory."""
    with SeparateRedis(tmp_path / "valkey") as server:
        yield server.url


def test_idle_consumer_receives_a_message_as_soon_as_it_is_sent(redis_url: str) -> None:
    with connect() as connection, connect() as sender, redis.Redis.from_url(redis_url) as client:
        thread, received = get_in_thread(connection.SimpleQueue("test-broker"))
        wait_until_blocked(client, "blmove")
        sender.SimpleQueue("test-broker").put("message")
        thread.join()
        assert received[0].payload == "message"
        assert client.hlen("test:unacked") == client.zcard("test:unacked_index") == 1
        received[0].ack()
        assert client.keys("test:unacked*") == client.keys("test:test-broker") == []


def test_message_wakes_only_one_of_several_idle_consumers(separate_redis: str) -> None:
    with (
        connect(separate_redis) as first,
        connect(separate_redis) as second,
        redis.Redis.from_url(separate_redis) as client,
    ):
        consumers = [get_in_thread(connection.SimpleQueue("test-broker")) for connection in (first, second)]
        wait_until_blocked(client, "blmove", 2)
        scripts = client.info("commandstats")["cmdstat_eval"]["calls"]
        with connect(separate_redis) as sender:
            queue = sender.SimpleQueue("test-broker")
            for count, blocked in ((1, 1), (2, 0)):
                queue.put("message")
                wait_until_blocked(client, "blmove", blocked)
                assert client.info("commandstats")["cmdstat_eval"]["calls"] == scripts + count
        for thread, received in consumers:
            thread.join()
            assert received[0].payload == "message"


def test_message_in_the_list_of_an_ended_consumer_is_received_by_another_consumer(redis_url: str) -> None:
    with connect() as connection, redis.Redis.from_url(redis_url) as client:
        queue = connection.SimpleQueue("test-broker")
        queue.put("message")
        channel: Any = connection.default_channel
        client.lmove("test:test-broker", f"test:test-broker{channel.sep}{MOVED}")
        assert queue.get(timeout=10).payload == "message"


def test_busy_consumer_takes_messages_of_all_queues_and_priorities_without_waiting() -> None:
    with connect() as connection:
        messages = {("one", 0), ("two", 0), ("two", 9)}
        for name, priority in messages:
            connection.SimpleQueue(name).put([name, priority], priority=priority)
        received: list[list[Any]] = []
        queues = [connection.SimpleQueue(name).queue for name in ("one", "two")]
        with connection.Consumer(queues, callbacks=[lambda body, _message: received.append(body)]):
            for _ in messages:
                connection.drain_events(timeout=10)
        assert {(name, priority) for name, priority in received} == messages


def test_message_for_a_consumer_without_acknowledgements_is_not_stored(redis_url: str) -> None:
    with connect() as connection, redis.Redis.from_url(redis_url) as client:
        queue = connection.SimpleQueue("test-broker", no_ack=True)
        queue.put("message")
        assert queue.get(timeout=10).payload == "message"
        assert client.keys("test:unacked*") == []


def test_message_is_received_and_acknowledged_while_redis_is_full(separate_redis: str) -> None:
    with connect(separate_redis) as connection, redis.Redis.from_url(separate_redis) as client:
        queue = connection.SimpleQueue("test-broker")
        queue.put("message")
        client.config_set("maxmemory", 1)
        message = queue.get(timeout=10)
        assert client.hget("test:unacked", message.delivery_tag)
        message.ack()
        assert client.keys("test:unacked*") == client.keys("test:test-broker") == []


def test_idle_consumer_waits_while_redis_is_full_and_then_continues(separate_redis: str) -> None:
    with connect(separate_redis) as connection, redis.Redis.from_url(separate_redis) as client:
        transport: Any = connection.transport
        transport.brpop_timeout = 0.2
        queue = connection.SimpleQueue("test-broker")
        client.config_set("maxmemory", 1)
        thread, received = get_in_thread(queue)
        wait_until_blocked(client, "brpop")
        client.config_set("maxmemory", 0)
        wait_until_blocked(client, "blmove")
        with connect(separate_redis) as sender:
            sender.SimpleQueue("test-broker").put("message")
        thread.join()
        assert received[0].payload == "message"


def test_message_that_the_script_cannot_decode_is_received(redis_url: str) -> None:
    r"""Python's JSON decoder accepts lone surrogates such as `\ud800`, but the Lua script in Redis does not."""
    with connect() as connection, redis.Redis.from_url(redis_url) as client:
        queue = connection.SimpleQueue("test-broker")
        queue.put("message", headers={"name": "\ud800"})
        queue.get(timeout=10)
        assert client.hlen("test:unacked") == client.zcard("test:unacked_index") == 1

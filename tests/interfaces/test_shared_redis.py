"""Tests that two deployments can use one database of one Redis server."""

import json
import os
from typing import Any

import pytest
import redis
from pytest_django import Settings

from hotelagent.checks import check_redis_prefix
from tests.programs import run_python

#: A program that writes to Redis with each of the project's Redis clients.
WRITE = """
import django; django.setup()
from django.core.cache import caches
from hotelagent.celery import app
from hotelagent.rest.throttling import ClientThrottle, Rate
from tenants.context import platform_context

with platform_context():
    caches["default"].set("name", "written")
    caches["flags"].set("name", "written")
    ClientThrottle.check(policy="client", client="somebody", rate=Rate(2, 86_400))
app.send_task("tenants.tasks.tick")
app.control.broadcast("ping")
"""
#: Reads the values that WRITE has written, with each Redis client.
READ = """
import json
import django; django.setup()
from django.core.cache import caches
from hotelagent.celery import app
from hotelagent.rest.throttling import ClientThrottle, Rate
from tenants.context import platform_context

with platform_context():
    cached, flag = caches["default"].get("name"), caches["flags"].get("name")
    remaining = ClientThrottle.check(policy="client", client="somebody", rate=Rate(2, 86_400)).remaining
with app.connection_for_read() as connection:
    queue = connection.SimpleQueue("celery")
    messages = 0
    try:
        while queue.get_nowait():
            messages += 1
    except queue.Empty:
        pass
    print(json.dumps({"cached": cached, "flag": flag, "remaining": remaining, "messages": messages}))
"""
A = {"PLATFORM_HOST": "a.example"}
B = {"PLATFORM_HOST": "b.example"}
C = {"PLATFORM_HOST": "a.example", "DATABASE_ROLE_PREFIX": "second"}


def run(program: str, environment: dict[str, str]) -> str:
    done = run_python("-c", program, environment={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_deployment_does_not_read_cache_entries_or_messages_of_another_deployment(redis_url: str) -> None:
    environment = {"REDIS_URL": redis_url}
    run(WRITE, {**environment, **A})
    empty: dict[str, Any] = {"cached": None, "flag": None, "remaining": 1, "messages": 0}
    for other in (B, C):
        assert json.loads(run(READ, {**environment, **other})) == empty
    written = {"cached": "written", "flag": "written", "remaining": 0, "messages": 1}
    assert json.loads(run(READ, {**environment, **A})) == written


def test_all_redis_keys_begin_with_the_prefix_of_the_deployment(redis_url: str) -> None:
    run(WRITE, {"REDIS_URL": redis_url, **A})
    with redis.Redis.from_url(redis_url) as client:
        keys = [key.decode() for key in client.scan_iter()]
    assert len(keys) > 3
    assert [key for key in keys if not key.startswith("hotelagent:a.example:")] == []


#: Receives a message that WRITE has sent, and dies before it acknowledges the message.
DIE = """
import os
with app.connection_for_read() as connection:
    assert connection.SimpleQueue("celery").get(timeout=20)
    os._exit(0)
"""
#: Returns the messages of dead workers to the queue, as each worker does regularly. READ then counts the messages.
RESTORE = """
import django; django.setup()
from hotelagent.celery import app
app.conf.broker_transport_options = {**app.conf.broker_transport_options, "visibility_timeout": 0}
with app.connection_for_read() as connection:
    connection.default_channel.qos.restore_visible(interval=1)
"""


def test_message_of_a_dead_worker_is_redelivered_only_within_its_deployment(redis_url: str) -> None:
    environment = {"REDIS_URL": redis_url}
    run(WRITE + DIE, {**environment, **A})
    run(RESTORE, {**environment, **B})
    assert json.loads(run(READ, {**environment, **A}))["messages"] == 0
    assert json.loads(run(RESTORE + READ, {**environment, **A}))["messages"] == 1


@pytest.mark.django_db
def test_check_warns_if_another_deployment_has_the_same_prefix_in_redis(
    settings: Settings, redis_url: str
) -> None:
    settings.REDIS_URL = redis_url
    key = f"{settings.REDIS_KEY_PREFIX}:database"
    with redis.Redis.from_url(redis_url) as client:
        client.delete(key)
        for _ in range(2):
            assert check_redis_prefix(databases=["default"]) == []
        client.set(key, "staging of server 1")
        [message] = check_redis_prefix(databases=["default"])
        assert message.id == "hotelagent.W003"
        assert "staging of server 1" in message.msg
        assert f"DEL {key}" in str(message.hint)
        client.delete(key)
    assert check_redis_prefix(databases=None) == []
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert check_redis_prefix(databases=["default"]) == []

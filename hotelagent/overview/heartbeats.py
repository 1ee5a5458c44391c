"""The heartbeats of Celery workers in Redis, so that a page can show the workers without waiting for their replies."""

import contextlib
import time
from typing import Any

import redis
from celery.signals import heartbeat_sent, worker_shutdown
from django.conf import settings

#: A worker without a heartbeat within this number of seconds is not counted.
MAX_AGE = 60
#: Minimum number of seconds between two heartbeats that a worker stores. Celery sends one every two seconds.
_INTERVAL = 10.0
_TIMEOUT = 1.0
_last: dict[str, float] = {}


def _key() -> str:
    return f"{settings.REDIS_KEY_PREFIX}:workers"


def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=_TIMEOUT, socket_timeout=_TIMEOUT)


@heartbeat_sent.connect
def store_heartbeat(*, sender: Any, **_kwargs: Any) -> None:
    """Store the time of the worker's heartbeat, and delete old heartbeats. Errors of Redis are ignored."""
    name = str(sender.eventer.hostname)
    if time.monotonic() - _last.get(name, -_INTERVAL) < _INTERVAL:
        return
    _last[name] = time.monotonic()
    with contextlib.suppress(redis.RedisError), _client() as client, client.pipeline() as pipeline:
        now = time.time()
        pipeline.zadd(_key(), {name: now})
        pipeline.zremrangebyscore(_key(), 0, now - 10 * MAX_AGE)
        pipeline.expire(_key(), 10 * MAX_AGE)
        pipeline.execute()


@worker_shutdown.connect
def forget_worker(*, sender: Any, **_kwargs: Any) -> None:
    """Delete the heartbeat of a worker that is stopped, so that it no longer counts as alive. Errors are ignored."""
    with contextlib.suppress(redis.RedisError), _client() as client:
        client.zrem(_key(), str(sender.hostname))


def read_workers() -> list[str]:
    """Return the names of the workers with a heartbeat within the last MAX_AGE seconds. Raises redis.RedisError."""
    with _client() as client:
        names: Any = client.zrangebyscore(_key(), time.time() - MAX_AGE, "+inf")
    return sorted(name.decode() for name in names)


def read_redis_version() -> str:
    """Return the version of the Redis or Valkey server. Raises redis.RedisError."""
    with _client() as client:
        information: Any = client.info("server")
    name = "Valkey" if "valkey_version" in information else "Redis"
    return f"{name} {information.get('valkey_version') or information.get('redis_version')}"

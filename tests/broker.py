"""Access of the test process to the message broker."""

import json
from typing import Any

import redis
from django.conf import settings
from kombu import pools

from hotelagent.celery import app
from hotelagent.core.broker import MOVED, Channel


def close_broker_connections() -> None:
    """Make Celery open new connections, because a test has changed the URL of the broker.

    The function does not call `app.close()`, because Celery would then not register new shared tasks in the app.
    """
    pools.reset()
    app._pool = None  # type: ignore[attr-defined]
    app.amqp._producer_pool = None  # type: ignore[attr-defined]


def pending_messages(redis_url: str) -> list[dict[str, Any]]:
    """Return the messages in the queue of the workers, and those that a worker has not acknowledged yet."""
    queue = f"{settings.REDIS_KEY_PREFIX}:celery"
    with redis.Redis.from_url(redis_url) as client, client.pipeline() as pipe:
        pipe.lrange(queue, 0, -1).lrange(f"{queue}{Channel.sep}{MOVED}", 0, -1)
        queued, moved, unacknowledged = pipe.hvals(f"{settings.REDIS_KEY_PREFIX}:unacked").execute()
    return [json.loads(message) for message in queued + moved] + [
        json.loads(row)[0] for row in unacknowledged
    ]

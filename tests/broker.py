"""Access of the test process to the message broker, and Redis servers that a test can kill."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any, Self

import redis
from django.conf import settings
from kombu import pools

from hotelagent.celery import app
from hotelagent.core.broker import MOVED, Channel
from hotelagent.embedded import paths, processes
from hotelagent.embedded.servers.valkey import THROWAWAY, Valkey


class SeparateRedis:
    """A Redis server that only one test uses, so that the test can limit its memory or kill it.

    The end of the `with` block kills the server.
    """

    def __init__(self, folder: Path, *, persistence: str = THROWAWAY) -> None:
        self.server = Valkey(folder, persistence=persistence)
        paths.private_folder(self.server.home)
        self.server.prepare()

    @property
    def url(self) -> str:
        return self.server.url()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        self.process = self.server.start(subprocess.DEVNULL)
        self.server.wait_until_ready(self.process)

    def kill(self) -> None:
        processes.stop(self.process, signal_number=signal.SIGKILL, timeout=10)


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

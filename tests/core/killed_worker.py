"""A Celery worker that kills itself with SIGKILL at a chosen moment.

    python -m tests.core.killed_worker TRANSPORT MOMENT

TRANSPORT is a transport of kombu, and MOMENT is a key of `MOMENTS`. The URL of Redis is the environment variable
REDIS_URL.
"""

import os
import signal
import sys
from typing import Any

from celery import Celery
from kombu.transport import redis, virtual

QUEUE = "killed-worker"
TASK = "tests.killed_worker.work"

#: For each step of processing a message, the function of kombu immediately before which the worker is killed.
MOMENTS: dict[str, tuple[type[Any], str]] = {
    "reply arrives": (redis.Channel, "_brpop_read"),
    "message is delivered": (virtual.Transport, "_deliver"),
    "message is acknowledged": (redis.QoS, "ack"),
    # kombu calls this function after it has deleted the message from Redis.
    "message is deleted": (virtual.QoS, "ack"),
}


def create_app(redis_url: str, transport: str) -> Celery:
    """Return a Celery app with one task, which does nothing. The worker acknowledges the message after the task."""
    app = Celery("killed-worker", broker=redis_url, set_as_current=False, fixups=[])
    app.conf.update(broker_transport=transport, task_default_queue=QUEUE, task_acks_late=True)
    app.task(name=TASK)(_do_nothing)
    return app


def _do_nothing() -> None:
    pass


def run_until(app: Celery, moment: tuple[type[Any], str], *, log_level: str = "CRITICAL") -> None:
    """Run a worker of the app. It kills itself instead of calling the kombu function `moment` (class and name)."""
    owner, function = moment
    setattr(owner, function, lambda *_args, **_kwargs: os.kill(os.getpid(), signal.SIGKILL))
    app.worker_main(
        [
            "worker",
            "--pool=solo",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            f"--loglevel={log_level}",
        ]
    )


def main(transport: str, moment: str) -> None:
    run_until(create_app(os.environ["REDIS_URL"], transport), MOMENTS[moment])


if __name__ == "__main__":
    main(*sys.argv[1:])

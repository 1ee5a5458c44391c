"""Tasks and workers of the test that kills a worker at each step of processing a message."""

import os
import signal
from pathlib import Path
from typing import Any

from celery import shared_task
from kombu.transport import redis, virtual

from tenants.queue.celery_task import HotelTask

#: The environment variable with the path of the file to which tasks append their number when their work is done.
DONE = "CHAOS_DONE"
#: A task that no worker knows.
UNKNOWN = "tests.chaos.unknown"

#: The worker is killed immediately before it calls this function.
MOMENTS: dict[str, tuple[type[Any], str]] = {
    "the message is delivered": (virtual.Transport, "_deliver"),
    "the task begins": (HotelTask, "__call__"),
    "the failure is stored": (HotelTask, "try_report_failure"),
    "the message is acknowledged": (redis.QoS, "ack"),
    # kombu calls this function after it has deleted the message from Redis.
    "the message is forgotten": (virtual.QoS, "ack"),
}


@shared_task(base=HotelTask, name="tests.chaos.succeed")
def succeed(number: int) -> None:
    # One write in append mode is atomic, so the lines of the workers are not mixed.
    with Path(os.environ[DONE]).open("ab", buffering=0) as file:
        file.write(f"{number}\n".encode())


@shared_task(base=HotelTask, name="tests.chaos.fail")
def fail(number: int) -> None:
    raise ValueError(f"Task {number} fails.")


def run_killed_worker(moment: str, settings: dict[str, Any]) -> None:
    """Run a Celery worker that kills itself with SIGKILL at this step (a key of `MOMENTS`)."""
    from hotelagent.celery import app  # noqa: PLC0415 - the app needs django.setup()

    owner, function = MOMENTS[moment]
    setattr(owner, function, lambda *_args, **_kwargs: os.kill(os.getpid(), signal.SIGKILL))
    app.conf.update(settings)
    app.worker_main(
        [
            "worker",
            "--pool=solo",
            "--loglevel=WARNING",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )

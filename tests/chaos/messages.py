"""Tasks and workers of the test that kills a worker at each step of processing a message."""

import os
from pathlib import Path
from typing import Any

from celery import shared_task
from kombu.transport import redis, virtual

from tenants.queue.celery_task import HotelTask
from tests.core import killed_worker

#: The environment variable with the path of the file to which each task appends its number at its end.
DONE = "CHAOS_DONE"
#: The name of a task that no worker knows.
UNKNOWN = "tests.chaos.unknown"

#: For each step of processing a message, the function immediately before which the worker is killed.
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

    app.conf.update(settings)
    killed_worker.run_until(app, MOMENTS[moment], log_level="WARNING")

"""Celery tasks whose failures can only be tested with a real worker. The worker imports the tasks with `--include`."""

import contextlib
import os
import signal
import time
from typing import Any

import redis
from celery import shared_task
from celery.contrib.django.task import DjangoTask
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import task_failure, worker_process_init
from django.conf import settings

from dlq import services
from dlq.kinds.registry import Kind, failure_kind, register_kind
from dlq.models import Failure
from dlq.retries import attempts, runner
from tenants.context import platform_context
from tenants.queue import celery_task, success
from tenants.queue.celery_task import HotelTask

# Messages return to the broker after a shorter delay, so that the tests are faster.
celery_task.REQUEUE_DELAY = 0.3
runner.KILL_DELAY = 1.0

#: The Redis list to which each run of a task appends a line.
RUNS = "tests.dlq.runs"
#: The Redis list to which the worker appends whether it could store a success.
RESULTS = "tests.dlq.results"


def note_run(line: str, *, key: str = RUNS) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.rpush(key, line)


@shared_task(base=HotelTask, name="tests.dlq.hang", soft_time_limit=1, time_limit=2)
def hang(guest: str) -> None:
    """Ignore the soft time limit, and run until the hard time limit ends the process."""
    note_run(guest)
    while True:
        with contextlib.suppress(SoftTimeLimitExceeded):
            time.sleep(1)


@failure_kind("tests.dlq.slow", time_limit=1)
def slow(failure: Failure) -> None:
    """Run until the soft time limit interrupts the handler."""
    note_run(failure.name)
    time.sleep(60)


@failure_kind("tests.dlq.stubborn", time_limit=1, is_idempotent=False)
def stubborn(failure: Failure) -> None:
    """Ignore the soft time limit, and run until the process is killed."""
    note_run(failure.name)
    while True:
        with contextlib.suppress(SoftTimeLimitExceeded):
            time.sleep(1)


@failure_kind("tests.dlq.quick")
def quick(failure: Failure) -> None:
    note_run(failure.name)


@shared_task(base=HotelTask, name="tests.dlq.kill_worker")
def kill_worker(guest: str) -> None:
    """Kill the process that runs the task."""
    note_run(guest)
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task(base=HotelTask, name="tests.dlq.fail")
def fail(guest: str) -> None:
    note_run(guest)
    raise ZeroDivisionError(guest)


@shared_task(base=DjangoTask, name="tests.dlq.fail_by_signal")
def fail_by_signal(guest: str) -> None:
    """Raise an error that only the signal receiver `capture_by_signal` captures.

    If the receiver raises an error, the failure is lost.
    """
    note_run(guest)
    raise ZeroDivisionError(guest)


@task_failure.connect(sender=fail_by_signal)
def capture_by_signal(*, sender: Any, args: list[str], exception: Exception, **_kwargs: object) -> None:
    with platform_context():
        services.capture(
            is_task=True,
            source="tests",
            name=sender.name,
            payload={"args": args, "kwargs": {}},
            error=exception,
        )


def charge(failure: Failure) -> None:
    """Charge a guest, as an example of work that must not be done twice. Return when the test lets the handler end."""
    note_run(failure.payload["guest"])
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.blpop([f"{RUNS}.allowed"], timeout=30)


register_kind(Kind(name="tests.dlq.charge", handler=charge, is_idempotent=False))


@worker_process_init.connect
def note_results(**_kwargs: object) -> None:
    """Make worker processes record whether they could store the success of a retry in the database.

    For each successful retry, the Redis list `RESULTS` gets the entry "stored" or "not stored".
    """
    record_success = attempts.record_success

    def record_and_note(**result: Any) -> bool:
        try:
            is_recorded = record_success(**result)
        except Exception:
            note_run("not stored", key=RESULTS)
            raise
        note_run("stored", key=RESULTS)
        return is_recorded

    attempts.record_success = record_and_note
    success.SUCCESS_DELAYS = (0.5, 0.5)

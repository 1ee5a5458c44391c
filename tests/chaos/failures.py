"""The jobs of the chaos test of the dead-letter queue: Celery tasks, and three kinds of stored messages, in several
hotels.

Each run of a job appends lines to the file that the environment variable CHAOS_RECORD names: `begin` at the start, and
`done` or `failed` at the end. The lines are kept if the process or a server is killed.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import shared_task
from django.db import transaction

from dlq import services
from dlq.kinds.registry import Kind, failure_kind, register_kind
from dlq.models import Failure, FailureStatus
from dlq.redrives import services as redrives
from dlq.redrives.services import RedriveOptions
from dlq.retries import runner
from dlq.selection import FailureSelection
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tenants.queue.celery_task import HotelTask

RECORD = "CHAOS_RECORD"
TASK, IDEMPOTENT, ONCE, ORDERED = KINDS = (
    "tests.chaos.task",
    "tests.chaos.idempotent",
    "tests.chaos.once",
    "tests.chaos.ordered",
)
DELAYS = (0.3, 0.3, 0.3)
#: The number of consecutive messages of a hotel with the same ordering key.
KEY_SIZE = 5
#: One in this many jobs fails until a person has repaired the cause.
HOPELESS_EVERY = 37
#: The maximum duration of a job in seconds, and the maximum time until the result of the job is stored.
MAX_SECONDS = 0.02
BATCH_SIZE = 200


class BrokenError(Exception):
    pass


@contextmanager
def recorded_run(name: str, *, number: int, retries: int, key: str) -> Iterator[None]:
    """Record a run of a job in a file. The job is the body of the `with` statement.

    Raises BrokenError if the test plans that this run fails. `key` identifies the job.
    """
    _note("begin", name, number, key)
    try:
        _fail_if_planned(number, retries)
        yield
    except BrokenError:
        _note("failed", name, number, key)
        raise
    _note("done", name, number, key)
    time.sleep(random.uniform(0, MAX_SECONDS))  # noqa: S311 - not a secret


def _fail_if_planned(number: int, retries: int) -> None:
    if number % HOPELESS_EVERY:
        if retries <= number % 3:
            raise BrokenError(f"Retry {retries} fails.")
    elif not repaired_file().exists():
        raise BrokenError("The cause is not repaired yet.")


def _note(event: str, name: str, number: int, key: str) -> None:
    line = {"event": event, "name": name, "number": number, "key": key, "at": time.time()}
    # One write in append mode is atomic, so the lines of the workers are not mixed.
    with Path(os.environ[RECORD]).open("ab", buffering=0) as record:
        record.write(json.dumps(line).encode() + b"\n")


def repaired_file() -> Path:
    """Return the path of a file. Some jobs of the test fail at every attempt until this file exists."""
    return Path(os.environ[RECORD] + ".repaired")


@shared_task(base=HotelTask, bind=True, name=TASK)
def do_task(self: HotelTask, number: int) -> None:
    """Run a job as a Celery task. One third of these tasks succeed at the first attempt."""
    attempt = int(self.message_headers.get(runner.ATTEMPT_HEADER, 0))
    with recorded_run(TASK, number=number, retries=attempt + 1, key=self.idempotency_key):
        _work()


def do_message(failure: Failure) -> None:
    number = failure.payload["number"]
    with recorded_run(failure.name, number=number, retries=failure.retries, key=str(failure.id)):
        _work()


def _work() -> None:
    time.sleep(random.uniform(0, MAX_SECONDS))  # noqa: S311 - not a secret


register_kind(Kind(name=TASK, delays=DELAYS))
failure_kind(IDEMPOTENT, delays=DELAYS)(do_message)
failure_kind(ONCE, delays=DELAYS, is_idempotent=False)(do_message)
failure_kind(ORDERED, delays=DELAYS, ordering_key=lambda payload: str(payload["key"]))(do_message)


def send_work(hotels: int, count: int) -> None:
    """Send `count` jobs to the hotels in turn. Call this function before workers are started.

    A quarter of the jobs are Celery tasks, which are sent to Celery's queue. The other jobs are messages of three
    kinds, which are stored in the dead-letter queue.
    """
    for position, hotel in enumerate(_hotels()):
        numbers = range(position, count, hotels)
        with hotel_context(hotel):
            for start in range(0, len(numbers), BATCH_SIZE):
                with transaction.atomic():
                    for index in range(start, min(start + BATCH_SIZE, len(numbers))):
                        _send(index, numbers[index])


def name_of(index: int) -> str:
    """Return the kind of a job. The number of the job within its hotel determines the kind."""
    return KINDS[index % len(KINDS)]


def ordering_key(index: int) -> str:
    return f"booking-{index // len(KINDS) // KEY_SIZE}"


def _send(index: int, number: int) -> None:
    name = name_of(index)
    if name == TASK:
        do_task.delay(number)
        return
    payload: dict[str, Any] = {"number": number, "key": ordering_key(index)}
    services.capture(
        is_task=False,
        source="tests",
        name=name,
        payload=payload,
        error=BrokenError("The first attempt fails."),
    )


def discard_completed_jobs_in_doubt() -> None:
    """Discard each failure in doubt whose job was completed, as staff would do. The other failures stay in doubt."""
    with Path(os.environ[RECORD]).open() as record:
        done = {line["key"] for line in map(json.loads, record) if line["event"] == "done"}
    for hotel in _hotels():
        with hotel_context(hotel):
            for failure_id in Failure.objects.filter(status=FailureStatus.IN_DOUBT).values_list(
                "id", flat=True
            ):
                if str(failure_id) in done:
                    services.discard(failure_id=failure_id, reason="The work was done.")


def start_redrives() -> None:
    """Retry all failures that are open, in all hotels."""
    for hotel in _hotels():
        with hotel_context(hotel):
            redrives.start(selection=FailureSelection(), options=RedriveOptions(confirm_in_doubt=True))


def _hotels() -> list[Hotel]:
    with platform_context():
        return list(Hotel.objects.order_by("slug"))

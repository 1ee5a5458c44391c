"""Fixtures for the tests of the dead-letter queue: an example message with a retry handler, and a failing task."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app, shared_task
from django.db.models import F

from dlq import services
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure
from tenants.context import platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem
from tenants.queue.celery_task import HotelTask

NAME = "tests.lamp"


class LampError(Exception):
    pass


class Lamp:
    """A retry handler for an example message.

    For each retry, the handler stores the payload in `retried` and calls `behaviour`. This function may raise an error.
    """

    def __init__(self) -> None:
        self.retried: list[dict[str, Any]] = []
        self.behaviour: Callable[[Failure], None] = lambda _failure: None

    def handle(self, failure: Failure) -> None:
        self.retried.append(failure.payload)
        self.behaviour(failure)

    def fail(self, message: str = "no current") -> None:
        """Make the retry handler raise an error at every retry from now on."""

        def behaviour(_failure: Failure) -> None:
            raise LampError(message)

        self.behaviour = behaviour


@pytest.fixture
def lamp(monkeypatch: pytest.MonkeyPatch) -> Lamp:
    lamp = Lamp()
    monkeypatch.setitem(registry._kinds, NAME, Kind(name=NAME, handler=lamp.handle))
    return lamp


@shared_task(base=HotelTask, name="tests.dlq.task")
def failing_task(number: int, *, colour: str = "red") -> None:
    if number < 0:
        raise LampError(f"{colour} lamp {number} is broken")


@pytest.fixture
def eager() -> Iterator[None]:
    """Run Celery tasks in the process that sends them, with the tracing and signals of a worker."""
    previous = current_app.conf.task_always_eager
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = previous


def capture_failure(
    *,
    message: str = "no current",
    retry: bool = True,
    work_key: str = "",
    ordering_key: str = "",
    **payload: Any,
) -> Failure:
    """Store a failed message in the dead-letter queue and return the failure.

    Retries of the message call the test handler that the fixture `lamp` registers.
    """
    captured = services.capture(
        is_task=False,
        source="tests",
        name=NAME,
        payload={"lamp": 1, **payload},
        error=LampError(message),
        retry=retry,
        work_key=work_key,
        ordering_key=ordering_key,
    )
    return Failure.objects.get(id=captured.id)


def make_due(failure: Failure) -> None:
    """Set the failure's next retry to a time in the past, so that it is due now."""
    updated = Failure.objects.filter(id=failure.id, next_retry_at__isnull=False).update(
        next_retry_at=F("created_at") - timedelta(seconds=1)
    )
    assert updated == 1


def reload(failure: Failure) -> Failure:
    return Failure.objects.get(id=failure.id)


def is_due(failure: Failure) -> bool:
    """Return whether the due queue would send a retry of this failure to a worker now."""
    with platform_context():
        return DueItem.objects.filter(item_id=failure.id, due_at__lte=database_now()).exists()

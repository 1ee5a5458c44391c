"""A kind of message of our own, whose sending again does what the test says."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app, shared_task
from django.db.models import F

from dlq import registry, services
from dlq.models import Failure, Kind
from tenants.queue.celery_task import HotelTask

NAME = "tests.lamp"


class Broken(Exception):
    pass


class Lamp:
    """Counts how often it was sent again; `behave` decides how that ends."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.behave: Callable[[Failure], None] = lambda _failure: None

    def send_again(self, failure: Failure) -> None:
        self.sent.append(failure.payload)
        self.behave(failure)

    def breaks(self, text: str = "no current") -> None:
        def behave(_failure: Failure) -> None:
            raise Broken(text)

        self.behave = behave


@pytest.fixture
def lamp(monkeypatch: pytest.MonkeyPatch) -> Lamp:
    made = Lamp()
    monkeypatch.setitem(registry._retriers, NAME, made.send_again)
    return made


@shared_task(base=HotelTask, name="tests.dlq.task")
def fragile(number: int, *, colour: str = "red") -> None:
    if number < 0:
        raise Broken(f"{colour} lamp {number} is broken")


@pytest.fixture
def eager() -> Iterator[None]:
    """Tasks run where they are sent, through Celery's own tracing, signals included."""
    before = current_app.conf.task_always_eager
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = before


def captured(*, text: str = "no current", retry: bool = True, **payload: Any) -> Failure:
    """A failed message of the kind that `lamp` sends again."""
    return services.capture(
        kind=Kind.MESSAGE,
        source="tests",
        name=NAME,
        payload={"lamp": 1, **payload},
        error=Broken(text),
        retry=retry,
    )


def make_due(failure: Failure) -> None:
    """Let the time pass until its next retry."""
    moved = Failure.objects.filter(id=failure.id, next_retry_at__isnull=False).update(
        next_retry_at=F("created_at") - timedelta(seconds=1)
    )
    assert moved == 1


def reread(failure: Failure) -> Failure:
    return Failure.objects.get(id=failure.id)

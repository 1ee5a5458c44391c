"""Receivers of the signals about Celery tasks. They capture failed tasks, and record the results of retried tasks."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.dispatch import receiver

from dlq import services
from dlq.models import FailureKind
from dlq.retries import attempts
from tenants import host_routing
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.queue.celery_task import HOTEL_HEADER, HotelTask
from tenants.signals import task_failed, task_succeeded

SOURCE = "hotelagent"
#: If one of these tasks fails, no failure is stored: the next run retries the failures that are still due.
OWN_TASKS = frozenset({"dlq.tasks.retry_due", "dlq.tasks.retry_platform_due"})


@receiver(task_failed)
def capture_failed_task(*, task: HotelTask, error: BaseException, **_kwargs: Any) -> None:
    """Store a failed task as a failure, or as the failed attempt of the failure that the task retried.

    If this function raises an exception, the message of the task returns to the broker.
    """
    if task.name in OWN_TASKS:
        return
    with _task_context(task):
        headers = _headers(task)
        if attempts.FAILURE_HEADER in headers:
            attempts.record_failure(**_attempt_key(headers), error=error)
        else:
            services.capture(
                kind=FailureKind.TASK,
                source=SOURCE,
                name=task.name,
                payload={"args": list(task.request.args or ()), "kwargs": dict(task.request.kwargs or {})},
                error=error,
            )


@receiver(task_succeeded)
def record_successful_retry(*, task: HotelTask, **_kwargs: Any) -> None:
    """Record the success of a task that a failure was retried with."""
    headers = _headers(task)
    if attempts.FAILURE_HEADER in headers:
        with _task_context(task):
            attempts.record_success(**_attempt_key(headers))


def _headers(task: HotelTask) -> dict[str, Any]:
    # Celery turns message headers into attributes of the task request. Eager tasks have them in `request.headers`.
    return {**vars(task.request), **(task.request.headers or {})}


def _attempt_key(headers: dict[str, Any]) -> dict[str, Any]:
    return {
        "failure_id": uuid.UUID(headers[attempts.FAILURE_HEADER]),
        "number": int(headers[attempts.ATTEMPT_HEADER]),
    }


@contextmanager
def _task_context(task: HotelTask) -> Iterator[None]:
    """Enter the context of the hotel or the platform that the task ran for, even if the hotel is suspended."""
    hotel_id = _headers(task).get(HOTEL_HEADER)
    hotel = host_routing.by_id(uuid.UUID(hotel_id)) if hotel_id else None
    if hotel_id and hotel is None:
        raise LookupError(f"{task.name} ran for the hotel {hotel_id}, which no longer exists.")
    with (
        hotel_context(hotel) if hotel else platform_context(),
        actor_context(Actor("task", str(task.request.id), task.name)),
    ):
        yield

"""Receivers of Celery signals. They capture failed tasks, and record the results of retried tasks."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery.signals import task_failure, task_success

from dlq import services
from dlq.models import FailureKind
from dlq.retries import attempts
from tenants import host_routing
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.queue.celery_task import HOTEL_HEADER, HotelTask

log = structlog.get_logger(__name__)

SOURCE = "hotelagent"
#: If one of these tasks fails, no failure is stored: the next run retries the failures that are still due.
OWN_TASKS = frozenset({"dlq.tasks.retry_due", "dlq.tasks.retry_platform_due"})


@task_failure.connect
def capture_failed_task(
    *, sender: Any, task_id: str, exception: BaseException, args: Any, kwargs: Any, **_kwargs: Any
) -> None:
    """Store a failed task as a failure. Celery sends this signal when it will not retry the task any more."""
    if not isinstance(sender, HotelTask) or sender.name in OWN_TASKS:
        return
    try:
        with _task_context(sender, task_id):
            headers = _headers(sender)
            if attempts.FAILURE_HEADER in headers:
                attempts.record_failure(**_attempt_key(headers), error=exception)
            else:
                services.capture(
                    kind=FailureKind.TASK,
                    source=SOURCE,
                    name=sender.name,
                    payload={"args": list(args), "kwargs": dict(kwargs)},
                    error=exception,
                )
    except Exception:
        # Celery ignores exceptions raised by receivers, so the log is the only record of the failed task.
        log.exception("failure.not_captured", task=sender.name, task_id=task_id)
        raise


@task_success.connect
def record_successful_retry(*, sender: Any, **_kwargs: Any) -> None:
    if not isinstance(sender, HotelTask):
        return
    headers = _headers(sender)
    if attempts.FAILURE_HEADER in headers:
        with _task_context(sender, str(sender.request.id)):
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
def _task_context(task: HotelTask, task_id: str) -> Iterator[None]:
    """Enter the context of the hotel or the platform that the task ran for, even if the hotel is suspended."""
    hotel_id = _headers(task).get(HOTEL_HEADER)
    hotel = host_routing.by_id(uuid.UUID(hotel_id)) if hotel_id else None
    if hotel_id and hotel is None:
        raise LookupError(f"{task.name} ran for the hotel {hotel_id}, which no longer exists.")
    with (
        hotel_context(hotel) if hotel else platform_context(),
        actor_context(Actor("task", task_id, task.name)),
    ):
        yield

"""A task of ours that gives up becomes a failure by itself; one that was sent again reports how it ended."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery.signals import task_failure, task_success

from dlq import attempts, services
from dlq.models import Kind
from tenants import host_routing
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.queue.celery_task import HOTEL_HEADER, HotelTask

log = structlog.get_logger(__name__)

SOURCE = "hotelagent"
# Their work is failures: each records its own, and what they did not get to is handed out again.
OWN_TASKS = frozenset({"dlq.tasks.retry_due", "dlq.tasks.retry_platform_due"})


@task_failure.connect
def gave_up(
    *, sender: Any, task_id: str, exception: BaseException, args: Any, kwargs: Any, **_kwargs: Any
) -> None:
    """Celery's signal of the last failure: what is to be retried by the task itself doesn't come here."""
    if not isinstance(sender, HotelTask) or sender.name in OWN_TASKS:
        return
    try:
        with _tenant_of(sender, task_id):
            headers = _headers(sender)
            if attempts.FAILURE_HEADER in headers:
                attempts.failed(**_attempt(headers), error=exception)
            else:
                services.capture(
                    kind=Kind.TASK,
                    source=SOURCE,
                    name=sender.name,
                    payload={"args": list(args), "kwargs": dict(kwargs)},
                    error=exception,
                )
    except Exception:
        # Celery would swallow it. The log is the last place where the lost task is seen.
        log.exception("failure.not_captured", task=sender.name, task_id=task_id)
        raise


@task_success.connect
def done(*, sender: Any, **_kwargs: Any) -> None:
    if not isinstance(sender, HotelTask):
        return
    headers = _headers(sender)
    if attempts.FAILURE_HEADER in headers:
        with _tenant_of(sender, str(sender.request.id)):
            attempts.succeeded(**_attempt(headers))


def _headers(task: HotelTask) -> dict[str, Any]:
    # Celery puts a message's headers beside its own fields, and under `headers` when a task runs in place.
    return {**vars(task.request), **(task.request.headers or {})}


def _attempt(headers: dict[str, Any]) -> dict[str, Any]:
    return {
        "failure_id": uuid.UUID(headers[attempts.FAILURE_HEADER]),
        "number": int(headers[attempts.ATTEMPT_HEADER]),
    }


@contextmanager
def _tenant_of(task: HotelTask, task_id: str) -> Iterator[None]:
    """Where the task ran. A hotel that was suspended meanwhile keeps its failures all the same."""
    hotel_id = _headers(task).get(HOTEL_HEADER)
    hotel = host_routing.by_id(uuid.UUID(hotel_id)) if hotel_id else None
    if hotel_id and hotel is None:
        raise LookupError(f"{task.name} ran for hotel {hotel_id}, which is gone.")
    with (
        hotel_context(hotel) if hotel else platform_context(),
        actor_context(Actor("task", task_id, task.name)),
    ):
        yield

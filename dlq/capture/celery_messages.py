"""Functions that store failed Celery tasks, the results of retries, and messages that no worker can run."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery.exceptions import TimeLimitExceeded
from django.db import transaction
from django.dispatch import receiver

from dlq import services
from dlq.capture_request import MAX_NAME_LENGTH, Origin, ordering_key_of
from dlq.kinds.registry import find_kind
from dlq.payloads import StoredPayload
from dlq.retries import attempts, ordering, runner
from tenants import host_routing
from tenants.context import actor_context, hotel_context, platform_context
from tenants.errors import TooManyDeliveries
from tenants.queue import due
from tenants.queue.celery_task import DUE_HEADER, HOTEL_HEADER, HotelTask
from tenants.queue.initiators import task_actor
from tenants.signals import task_failed, task_succeeded

log = structlog.get_logger(__name__)

SOURCE = "hotelagent"
#: If one of these tasks of the dead-letter queue fails, no failure is stored: the next run does the remaining work.
OWN_TASKS = frozenset(
    {
        "dlq.tasks.retry_due",
        "dlq.tasks.retry_platform_due",
        "dlq.tasks.continue_redrives",
        "dlq.tasks.clean_up",
        "dlq.tasks.release",
        "dlq.tasks.watch",
        "dlq.tasks.watch_all",
        "dlq.tasks.count_groups",
        "dlq.tasks.regroup",
        "dlq.tasks.erase",
        "dlq.tasks.send_alert",
    }
)
#: If a Celery message does not contain the name of a task, its failure is stored with this name.
UNKNOWN_NAME = "unknown"


@receiver(task_failed)
def capture_failed_task(*, task: HotelTask, error: BaseException, **_kwargs: Any) -> None:
    """Store a failed task as a new failure.

    If the task was a retry of a stored failure, the function records a failed attempt of that failure instead. If this
    function raises an exception, the message of the task returns to the broker.
    """
    is_limited = task.name == runner.LIMITED_TASK
    if task.name in OWN_TASKS or (is_limited and not isinstance(error, TimeLimitExceeded)):
        return
    headers = task.message_headers
    worker = str(task.request.hostname or "")
    with _message_context(headers, name=task.name, task_id=str(task.request.id)):
        if is_limited:
            failure_id, number = task.request.args or ("", 0)
            runner.end_killed_attempt(failure_id=uuid.UUID(failure_id), number=number)
            return
        if runner.FAILURE_HEADER in headers:
            attempts.record_failure(**_attempt_key(headers), error=error, worker=worker)
            return
        capture: dict[str, Any] = {
            "is_task": True,
            "source": SOURCE,
            "name": task.name,
            "payload": _payload(task),
            "error": error,
            "origin": Origin(str(task.request.id), worker, getattr(task.request, "seconds", 0.0)),
            "retry": not isinstance(error, TooManyDeliveries),
        }
        if DUE_HEADER in headers:
            _capture_due_item(due_kind=headers[DUE_HEADER], item_id=task.due_ids[0], **capture)
        else:
            services.capture(**capture)


def _capture_due_item(*, due_kind: str, item_id: str, retry: bool, **capture: Any) -> None:
    """Move a failed due item to the dead-letter queue, so that only one of the two queues retries the item.

    A recurring item stays in the due queue, because its next run does the work. The failure of a recurring item is
    stored so that staff see the failure. The failure is not retried, and is resolved when a run succeeds.
    """
    is_recurring = due.kinds()[due_kind].recurring
    with transaction.atomic():
        services.capture(
            work_key=_due_work_key(due_kind, item_id), retry=retry and not is_recurring, **capture
        )
        if not is_recurring:
            due.cancel(kind=due_kind, ids=[uuid.UUID(item_id)])


@receiver(task_succeeded)
def record_successful_task(*, task: HotelTask, **_kwargs: Any) -> None:
    """Record the success of a task that retried a failure, or of a recurring item of the due queue.

    If the task has an ordering key, such as a booking, a retry of older work with this key could undo the newer work.
    Older failures with this key are therefore no longer retried automatically.
    """
    headers = task.message_headers
    is_recurring = DUE_HEADER in headers and due.kinds()[headers[DUE_HEADER]].recurring
    is_retry = runner.FAILURE_HEADER in headers
    kind = find_kind(task.name)
    if not (is_retry or is_recurring or kind.ordering_key):
        return
    with _message_context(headers, name=task.name, task_id=str(task.request.id)):
        if is_recurring:
            keys = [_due_work_key(headers[DUE_HEADER], item_id) for item_id in task.due_ids]
            attempts.resolve_work(work_keys=keys)
        elif not is_retry:
            ordering.overtake(ordering_key_of(kind, _payload(task)))
        else:
            attempts.record_success(**_attempt_key(headers), worker=str(task.request.hostname or ""))


def capture_message(message: Any, error: BaseException) -> None:
    """Store a Celery message that no worker can run: its task is unknown, or its body cannot be decoded.

    A message of an unknown task is retried until a deployment brings the task back. A message of a hotel that no longer
    exists is dropped. Raises an exception if the failure cannot be stored.
    """
    headers = dict(message.headers) if isinstance(message.headers, dict) else {}
    if not _is_id(headers.get(HOTEL_HEADER)):
        headers.pop(HOTEL_HEADER, None)
    elif host_routing.by_id(uuid.UUID(headers[HOTEL_HEADER])) is None:
        log.warning("message.hotel_unknown", hotel=headers[HOTEL_HEADER])
        return
    payload: Any
    try:
        args, kwargs, _embedded = message.decode()
        payload, is_task = {"args": list(args), "kwargs": dict(kwargs)}, True
    except Exception:  # noqa: BLE001 - the body may contain anything
        payload, is_task = _undecoded(message), False
    name, task_id = str(headers.get("task") or UNKNOWN_NAME), str(headers.get("id") or "")
    with _message_context(headers, name=name, task_id=task_id):
        services.capture(
            is_task=True,
            source=SOURCE,
            name=name,
            payload=payload,
            error=error,
            retry=is_task and name != UNKNOWN_NAME,
            origin=Origin(task_id),
        )


def _is_id(value: object) -> bool:
    try:
        uuid.UUID(str(value))
    except ValueError:
        return False
    return True


def _undecoded(message: Any) -> StoredPayload:
    body = (
        message.body
        if isinstance(message.body, bytes)
        else str(message.body).encode("utf-8", "surrogateescape")
    )
    return StoredPayload(
        {"content_type": str(message.content_type)}, body, f"{message.content_type}"[:100] or "?"
    )


def _payload(task: HotelTask) -> dict[str, Any]:
    return {"args": list(task.request.args or ()), "kwargs": dict(task.request.kwargs or {})}


def _due_work_key(kind: str, item_id: str) -> str:
    return f"due:{kind}:{item_id}"


def _attempt_key(headers: dict[str, Any]) -> dict[str, Any]:
    return {
        "failure_id": uuid.UUID(headers[runner.FAILURE_HEADER]),
        "number": int(headers[runner.ATTEMPT_HEADER]),
    }


@contextmanager
def _message_context(headers: dict[str, Any], *, name: str, task_id: str) -> Iterator[None]:
    """Enter the context of the hotel or the platform that sent the message, even if the hotel is suspended."""
    hotel_id = headers.get(HOTEL_HEADER)
    hotel = host_routing.by_id(uuid.UUID(hotel_id)) if hotel_id else None
    if hotel_id and hotel is None:
        raise LookupError(f"{name} ran for the hotel {hotel_id}, which no longer exists.")
    actor = task_actor(headers, name=name[:MAX_NAME_LENGTH], task_id=task_id)
    with hotel_context(hotel) if hotel else platform_context(), actor_context(actor):
        yield

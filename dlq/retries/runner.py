"""The retries of failures by a worker: claim a failure, run its retry handler or send its Celery task, and record the
result.
"""

import time
import uuid
from collections.abc import Sequence
from datetime import datetime

from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from audit.services import record
from dlq import events, payloads
from dlq.errors import AttemptLost
from dlq.kinds.availability import has_code
from dlq.kinds.namespaces import is_external
from dlq.kinds.registry import Kind, find_kind
from dlq.models import Failure, FailureStatus
from dlq.retention import pauses
from dlq.retention.pauses import Pauses
from dlq.retries import attempts, schedule
from hotelagent.core.messages import TranslatableMessage
from tenants.database.clock import database_now
from tenants.queue.celery_task import WORK_HEADER, get_task
from tenants.queue.success import store_success

# A retried Celery task has these headers. The first two headers identify the attempt that executes the task.
FAILURE_HEADER = "dlq_failure"
ATTEMPT_HEADER = "dlq_attempt"
#: The Celery task that retries one failure if the kind of failure has a time limit.
LIMITED_TASK = "dlq.tasks.retry_within_time_limit"
#: Seconds between the time limit of a handler and the kill of the worker process that still runs the handler.
KILL_DELAY = 10.0


def retry_due(*, failure_id: uuid.UUID, number: int | None = None) -> None:
    """Retry a failure if it is due and no other worker has claimed it. Otherwise do nothing.

    If the kind of failure has a time limit, a separate Celery message with this limit retries the failure. `number` is
    the number of the attempt for which this separate message was sent, and None in other messages. If that attempt has
    begun already, nothing is done.

    Errors are recorded as the result of the attempt. Only SoftTimeLimitExceeded is raised again, because it must also
    stop the calling task.
    """
    retry_all([failure_id], seconds=0, number=number)


def retry_all(
    failure_ids: Sequence[uuid.UUID], *, seconds: float, number: int | None = None
) -> Sequence[uuid.UUID]:
    """Retry the failures that are due, one after the other. Start no further retry after `seconds`.

    Return the ids of the failures that were not processed in this time. At least one failure is processed. Errors are
    handled as in `retry_due`.
    """
    started = time.monotonic()
    now = database_now()
    known = Failure.objects.filter(id__in=failure_ids).only(
        "is_task", "name", "status", "attempt", "next_retry_at", "claimed_until", "expires_at"
    )
    failures = {failure.id: failure for failure in known}
    paused = pauses.current_pauses()
    for position, failure_id in enumerate(failure_ids):
        if position and time.monotonic() - started > seconds:
            return failure_ids[position:]
        if failure_id in failures:
            _process(failures[failure_id], now=now, paused=paused, number=number)
    return []


def _process(failure: Failure, *, now: datetime, paused: Pauses, number: int | None) -> None:
    """Start the retry of the failure if it is due and its retries are not paused.

    If the lease of an interrupted attempt has expired, record that the attempt was lost.

    `now` is the time at which the failure was read. Another process may have changed the failure after this time.
    """
    if failure.status == FailureStatus.RETRYING and failure.claimed_until:
        if failure.claimed_until < now:
            attempts.record_lost(failure_id=failure.id, number=failure.attempt)
        else:
            _adjust_check(failure.id)
        return
    if failure.status != FailureStatus.SCHEDULED:
        _adjust_check(failure.id)
        return
    is_due = failure.next_retry_at is not None and failure.next_retry_at <= now
    if is_due and paused.cover(failure.name) and pauses.park(failure.id):
        return
    if failure.expires_at <= now:
        _end_expired(failure)
    elif is_due:
        _start(failure, number=number)


def _start(failure: Failure, *, number: int | None) -> None:
    """Start the retry of a failure that is due.

    If the kind of the failure has a time limit, the retry runs in a separate Celery message with this limit. Otherwise
    the retry runs in this process. A failure whose handler is in another system waits for this handler. Other
    failures that this worker cannot retry are postponed.
    """
    kind = find_kind(failure.name)
    if is_external(failure.name):
        _wait_for_handler(failure.id)
    elif not has_code(failure):
        _postpone(failure.id)
    elif kind.handler and kind.time_limit is not None and number is None:
        get_task(LIMITED_TASK).try_delay(str(failure.id), failure.attempt + 1, **_time_limits(kind))
    elif number is None or number == failure.attempt + 1:
        _retry(failure.id, kind)


def _retry(failure_id: uuid.UUID, kind: Kind) -> None:
    handler = kind.handler
    failure = attempts.claim(failure_id=failure_id, lease=schedule.lease_of(kind), is_dispatched=True)
    if failure is None:
        return
    try:
        failure.payload = payloads.restore(failure)
        if handler:
            handler(failure)
        else:
            _send_task(failure)
            return  # dlq.capture.celery_messages records the result of the retry when the Celery task has ended.
    except SoftTimeLimitExceeded as error:
        # The time limit interrupted the retry handler, which may already have sent or changed something. So work
        # that is not idempotent is in doubt.
        is_known = kind.is_idempotent
        attempts.record_failure(
            failure_id=failure.id, number=failure.attempt, error=error if is_known else _time_limit_exceeded()
        )
        raise
    except Exception as error:  # noqa: BLE001 - every error is a result of the attempt
        attempts.record_failure(failure_id=failure.id, number=failure.attempt, error=error)
    else:
        _record_success(failure)


def _record_success(failure: Failure) -> None:
    """Record that the work of a failure was done.

    If the database is not available, try again after some seconds. If the database is still not available, the attempt
    is lost when its lease ends. Work that is not idempotent is then in doubt.
    """
    store_success(
        lambda: attempts.record_success(failure_id=failure.id, number=failure.attempt),
        work=f"attempt {failure.attempt} of the failure {failure.id}",
        errors=(OperationalError, InterfaceError),
    )


def end_killed_attempt(*, failure_id: uuid.UUID, number: int) -> None:
    """Record that attempt `number` was lost, because its process was killed at the time limit.

    Do nothing if the attempt has ended. A later attempt, which another worker may be running, is not changed.
    """
    attempts.record_failure(failure_id=failure_id, number=number, error=_time_limit_exceeded())


def _time_limit_exceeded() -> AttemptLost:
    return AttemptLost(TranslatableMessage(_("The retry was stopped because it exceeded its time limit.")))


def _time_limits(kind: Kind) -> dict[str, float]:
    """Return the Celery options for the time limit of a kind of failure, or an empty dict if the kind has no limit."""
    limit = kind.time_limit
    return {} if limit is None else {"soft_time_limit": limit, "time_limit": limit + KILL_DELAY}


def _send_task(failure: Failure) -> None:
    payload = failure.payload
    get_task(failure.name).apply_async(
        args=payload["args"],
        kwargs=payload["kwargs"],
        headers={
            FAILURE_HEADER: str(failure.id),
            ATTEMPT_HEADER: str(failure.attempt),
            # Retries have the same work id as the original task, so that all deliveries are counted together.
            # `HotelTask.idempotency_key` returns this work id, so a task and its retries have the same idempotency key.
            WORK_HEADER: failure.idempotency_key,
        },
        **_time_limits(find_kind(failure.name)),
    )


def _wait_for_handler(failure_id: uuid.UUID) -> None:
    """Schedule the next check of a failure that only a handler of another system can claim.

    The next check is made when the failure expires.
    """
    with transaction.atomic():
        scheduled = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED)
        for failure in scheduled.select_for_update():
            schedule.schedule_check(failure_id, failure.expires_at)


def _postpone(failure_id: uuid.UUID) -> None:
    """Postpone the retry of a Celery task that this worker does not know. A worker with another version may know the
    task.
    """
    with transaction.atomic():
        later = database_now() + schedule.UNKNOWN_TASK_DELAY
        scheduled = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED)
        if scheduled.update(next_retry_at=later):
            schedule.schedule_check(failure_id, later)


def _adjust_check(failure_id: uuid.UUID) -> None:
    """Schedule the check of a running attempt for the end of its lease, or cancel a check that is not needed.

    The check is cancelled if the failure is closed or waits for a person. Otherwise, the due queue would send the check
    to workers again and again. The failure is locked, because it may have changed since it was read.
    """
    with transaction.atomic():
        for failure in Failure.objects.filter(id=failure_id).select_for_update():
            if failure.status == FailureStatus.RETRYING and failure.claimed_until:
                schedule.schedule_check(failure_id, failure.claimed_until)
            elif failure.status != FailureStatus.SCHEDULED:
                schedule.cancel_check(failure_id)


def _end_expired(failure: Failure) -> None:
    """Make a scheduled failure permanent if its `expires_at` has passed."""
    with transaction.atomic():
        expired = Failure.objects.filter(id=failure.id, status=FailureStatus.SCHEDULED, expires_at__lte=Now())
        if expired.update(status=FailureStatus.PERMANENT, next_retry_at=None):
            schedule.cancel_check(failure.id)
            record(events.EXPIRED, subject=("failure", failure.id), name=failure.name)

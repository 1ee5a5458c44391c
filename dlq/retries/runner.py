"""The retry of one failure by a worker: claim it, run its retry handler or send its Celery task, record the result."""

import uuid

from celery.exceptions import NotRegistered, SoftTimeLimitExceeded
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from audit.services import record
from dlq import events, payloads
from dlq.errors import AttemptLost
from dlq.kinds.namespaces import is_external
from dlq.kinds.registry import Kind, find_kind
from dlq.models import Failure, FailureStatus
from dlq.retention import pauses
from dlq.retries import attempts, schedule
from hotelagent.core.messages import TranslatableMessage
from tenants.database.clock import database_now
from tenants.queue.celery_task import WORK_HEADER, get_task

# A retried Celery task has these two headers. They identify the attempt that the result of the task belongs to.
FAILURE_HEADER = "dlq_failure"
ATTEMPT_HEADER = "dlq_attempt"
#: The Celery task that retries one failure whose kind has a time limit.
LIMITED_TASK = "dlq.tasks.retry_within_time_limit"
#: A handler that does not end within this number of seconds after its time limit is killed with its process.
KILL_DELAY = 10.0


def retry_due(*, failure_id: uuid.UUID, is_limited: bool = False) -> None:
    """Retry a failure if it is due and no other worker has claimed it. Otherwise do nothing.

    If the kind of the failure has a time limit, a separate Celery message with this limit is sent for it, so that the
    limit does not depend on the other failures of the message. `is_limited` is whether this is that message.

    Errors are recorded as the result of the attempt. Only SoftTimeLimitExceeded is raised again, because it must also
    stop the calling task.
    """
    _end_lost_attempt(failure_id)
    due = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED, next_retry_at__lte=Now())
    known = due.only("is_task", "name").first()
    if known is not None and pauses.is_paused(known.name) and pauses.park(failure_id):
        return
    _end_expired(failure_id)
    if known is not None and is_external(known.name):
        _wait_for_handler(failure_id)
        return
    if known is not None and not _can_run(known):
        _postpone(failure_id)
        return
    kind = find_kind(known.name) if known is not None else None
    if kind is not None and kind.handler and kind.time_limit is not None and not is_limited:
        get_task(LIMITED_TASK).try_delay(str(failure_id), **_time_limits(kind))
        return
    failure = attempts.claim(failure_id=failure_id)
    if failure is None:
        return
    handler = find_kind(failure.name).handler
    try:
        failure.payload = payloads.restore(failure)
        if handler:
            handler(failure)
        else:
            _send_task(failure)
            return  # The result is recorded by dlq.capture.celery_messages when the task has ended.
    except SoftTimeLimitExceeded as error:
        # A handler that was interrupted may have done its work.
        is_known = find_kind(failure.name).is_idempotent
        attempts.record_failure(
            failure_id=failure.id, number=failure.attempt, error=error if is_known else _time_limit_exceeded()
        )
        raise
    except Exception as error:  # noqa: BLE001 - every error is a result of the attempt
        attempts.record_failure(failure_id=failure.id, number=failure.attempt, error=error)
    else:
        attempts.record_success(failure_id=failure.id, number=failure.attempt)


def end_killed_attempt(*, failure_id: uuid.UUID) -> None:
    """Record the running attempt of the failure as lost, because its process was killed at the time limit."""
    running = Failure.objects.filter(id=failure_id, status=FailureStatus.RETRYING)
    number = running.values_list("attempt", flat=True).first()
    if number is not None:
        attempts.record_failure(failure_id=failure_id, number=number, error=_time_limit_exceeded())


def _time_limit_exceeded() -> AttemptLost:
    return AttemptLost(TranslatableMessage(_("The retry was stopped because it exceeded its time limit.")))


def _time_limits(kind: Kind) -> dict[str, float]:
    """Return the options that limit the time of a Celery message of this kind, or an empty dict."""
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
            # Retries have the same work id as the original task, so that their deliveries are counted together.
            WORK_HEADER: failure.task_id or str(failure.id),
        },
        **_time_limits(find_kind(failure.name)),
    )


def _can_run(failure: Failure) -> bool:
    """Return whether this worker knows the retry handler or the task of the failure."""
    if find_kind(failure.name).handler:
        return True
    try:
        return failure.is_task and get_task(failure.name) is not None
    except NotRegistered:
        return False


def _wait_for_handler(failure_id: uuid.UUID) -> None:
    """Schedule the check whether the failure has expired. Until then, only a handler of another system can claim it."""
    with transaction.atomic():
        scheduled = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED)
        for failure in scheduled.select_for_update():
            schedule.schedule_check(failure_id, failure.expires_at)


def _postpone(failure_id: uuid.UUID) -> None:
    """Postpone a retry that this worker cannot run. A worker with another version of the code may know its task."""
    with transaction.atomic():
        later = database_now() + schedule.UNKNOWN_TASK_DELAY
        scheduled = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED)
        if scheduled.update(next_retry_at=later):
            schedule.schedule_check(failure_id, later)


def _end_lost_attempt(failure_id: uuid.UUID) -> None:
    """Record the running attempt as lost if its lease has expired."""
    lost = Failure.objects.filter(id=failure_id, status=FailureStatus.RETRYING, claimed_until__lt=Now())
    number = lost.values_list("attempt", flat=True).first()
    if number is not None:
        message = TranslatableMessage(_("The worker did not report a result in time."))
        attempts.record_failure(failure_id=failure_id, number=number, error=AttemptLost(message))


def _end_expired(failure_id: uuid.UUID) -> None:
    """Make a scheduled failure permanent if its `expires_at` has passed."""
    with transaction.atomic():
        expired = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED, expires_at__lte=Now())
        if expired.update(status=FailureStatus.PERMANENT, next_retry_at=None):
            schedule.cancel_check(failure_id)
            name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
            record(events.EXPIRED, subject=("failure", failure_id), name=name)

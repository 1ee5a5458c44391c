"""The retry of one failure by a worker: claim it, run its retry handler or send its Celery task, record the result."""

import uuid

from celery.exceptions import NotRegistered, SoftTimeLimitExceeded
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from audit.services import record
from dlq import events, metrics, payloads
from dlq.errors import AttemptLost
from dlq.kinds.registry import find_kind
from dlq.models import Failure, FailureStatus
from dlq.retention import pauses
from dlq.retries import attempts, schedule
from hotelagent.core.messages import TranslatableMessage
from tenants.database.clock import database_now
from tenants.queue.celery_task import WORK_HEADER, get_task

# A retried Celery task has these two headers. They identify the attempt that the result of the task belongs to.
FAILURE_HEADER = "dlq_failure"
ATTEMPT_HEADER = "dlq_attempt"


def retry_due(*, failure_id: uuid.UUID) -> None:
    """Retry a failure if it is due and no other worker has claimed it. Otherwise do nothing.

    Errors are recorded as the result of the attempt. Only SoftTimeLimitExceeded is raised again, because it must also
    stop the calling task.
    """
    _end_lost_attempt(failure_id)
    due = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED, next_retry_at__lte=Now())
    known = due.only("is_task", "name").first()
    if known is not None and pauses.is_paused(known.name) and pauses.park(failure_id):
        return
    _end_expired(failure_id)
    if known is not None and not _can_run(known):
        _postpone(failure_id)
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
        attempts.record_failure(failure_id=failure.id, number=failure.attempt, error=error)
        raise
    except Exception as error:  # noqa: BLE001 - every error is a result of the attempt
        attempts.record_failure(failure_id=failure.id, number=failure.attempt, error=error)
    else:
        attempts.record_success(failure_id=failure.id, number=failure.attempt)


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
    )


def _can_run(failure: Failure) -> bool:
    """Return whether this worker knows the retry handler or the task of the failure."""
    if find_kind(failure.name).handler:
        return True
    try:
        return failure.is_task and get_task(failure.name) is not None
    except NotRegistered:
        return False


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
            metrics.count_on_commit(metrics.CLOSED, status=FailureStatus.PERMANENT)

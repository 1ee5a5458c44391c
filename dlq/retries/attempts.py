"""The attempts to retry failures.

A worker claims a failure and commits the claim before the work begins. The claim increments `Failure.retries`, the
fencing token of the attempt. The result of an attempt is recorded only if the token is unchanged, so a worker that lost
its claim cannot overwrite the result of another worker.
"""

import uuid

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from audit.services import record
from dlq import events, metrics, registry
from dlq.error_reports import report_exception
from dlq.errors import AttemptLost, NonRetryableError
from dlq.models import Attempt, AttemptOutcome, Failure, FailureStatus
from dlq.retries import schedule
from hotelagent.core.messages import TranslatableMessage
from tenants.database.clock import database_now
from tenants.queue.celery_task import get_task

log = structlog.get_logger(__name__)

# A retried Celery task has these two headers. They identify the attempt that the result of the task belongs to.
FAILURE_HEADER = "dlq_failure"
ATTEMPT_HEADER = "dlq_attempt"


def retry_due(*, failure_id: uuid.UUID) -> None:
    """Retry a failure if it is due and no other worker has claimed it. Otherwise do nothing.

    Errors are recorded as the result of the attempt. Only SoftTimeLimitExceeded is raised again, because it must also
    stop the calling task.
    """
    _end_lost_attempt(failure_id)
    _end_expired(failure_id)
    failure = claim(failure_id=failure_id)
    if failure is None:
        return
    handler = registry.find_retry_handler(failure.name)
    try:
        if handler:
            handler(failure)
        else:
            _send_task(failure)
            return  # The result is recorded by dlq.celery_signals when the task has ended.
    except SoftTimeLimitExceeded as error:
        record_failure(failure_id=failure.id, number=failure.retries, error=error)
        raise
    except Exception as error:  # noqa: BLE001 - every error is a result of the attempt
        record_failure(failure_id=failure.id, number=failure.retries, error=error)
    else:
        record_success(failure_id=failure.id, number=failure.retries)


def claim(*, failure_id: uuid.UUID) -> Failure | None:
    """Claim a due failure for one attempt and return it.

    Return None if it is not due, or if another worker has claimed it. The claim is committed on return and is valid
    until `Failure.claimed_until`. `Failure.retries` is the number of the attempt.
    """
    with transaction.atomic():
        now = database_now()
        claimed = Failure.objects.filter(
            id=failure_id, status=FailureStatus.SCHEDULED, next_retry_at__lte=now, expires_at__gt=now
        ).update(status=FailureStatus.RETRYING, retries=F("retries") + 1, next_retry_at=None)
        if not claimed:
            return None
        failure = Failure.objects.get(id=failure_id)
        has_handler = registry.find_retry_handler(failure.name) is not None
        failure.claimed_until = now + (schedule.HANDLER_LEASE if has_handler else schedule.QUEUE_LEASE)
        failure.save(update_fields=["claimed_until"])
        schedule.schedule_check(failure.id, failure.claimed_until)
        Attempt.objects.create(failure=failure, number=failure.retries)
    return failure


def record_success(*, failure_id: uuid.UUID, number: int) -> bool:
    """Record that attempt `number` succeeded. Return False and change nothing if the attempt has lost its claim."""
    with transaction.atomic():
        updated = _claimed(failure_id, number).update(status=FailureStatus.RESOLVED, claimed_until=None)
        if not updated:
            log.warning("failure.late_success", failure=str(failure_id), attempt=number)
            return False
        _attempt(failure_id, number).update(ended_at=Now(), outcome=AttemptOutcome.SUCCEEDED)
        schedule.cancel_check(failure_id)
        name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
        record(events.RESOLVED, subject=("failure", failure_id), name=name, attempt=number)
    metrics.ATTEMPTS.labels(outcome=AttemptOutcome.SUCCEEDED).inc()
    metrics.CLOSED.labels(status=FailureStatus.RESOLVED).inc()
    return True


def record_failure(*, failure_id: uuid.UUID, number: int, error: BaseException) -> bool:
    """Record that attempt `number` failed, and schedule the next retry or make the failure permanent.

    Return False and change nothing if the attempt has lost its claim of the failure.
    """
    is_final = isinstance(error, NonRetryableError)
    report = report_exception(error.__cause__ or error if is_final else error)
    outcome = AttemptOutcome.LOST if isinstance(error, AttemptLost) else AttemptOutcome.FAILED
    delay = None if is_final else schedule.retry_delay(number)
    status = FailureStatus.SCHEDULED if delay else FailureStatus.PERMANENT
    with transaction.atomic():
        name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
        next_retry_at = database_now() + delay if delay else None
        updated = _claimed(failure_id, number).update(
            status=status,
            next_retry_at=next_retry_at,
            claimed_until=None,
            fingerprint=report.fingerprint(name=name),
            last_seen_at=Now(),
            **report.as_fields(),
        )
        if not updated:
            log.warning("failure.late_failure", failure=str(failure_id), attempt=number)
            return False
        _attempt(failure_id, number).update(ended_at=Now(), outcome=outcome, **report.as_fields())
        if next_retry_at:
            schedule.schedule_check(failure_id, next_retry_at)
        else:
            schedule.cancel_check(failure_id)
        record(
            events.RETRY_FAILED,
            subject=("failure", failure_id),
            name=name,
            attempt=number,
            error=report.type,
            status=status,
        )
    metrics.ATTEMPTS.labels(outcome=outcome).inc()
    if status == FailureStatus.PERMANENT:
        metrics.CLOSED.labels(status=status).inc()
    return True


def _send_task(failure: Failure) -> None:
    get_task(failure.name).apply_async(
        args=failure.payload["args"],
        kwargs=failure.payload["kwargs"],
        headers={FAILURE_HEADER: str(failure.id), ATTEMPT_HEADER: str(failure.retries)},
    )


def _end_lost_attempt(failure_id: uuid.UUID) -> None:
    """Record the running attempt as lost if its lease has expired."""
    lost = Failure.objects.filter(id=failure_id, status=FailureStatus.RETRYING, claimed_until__lt=Now())
    number = lost.values_list("retries", flat=True).first()
    if number is not None:
        message = TranslatableMessage(_("The worker did not report a result in time."))
        record_failure(failure_id=failure_id, number=number, error=AttemptLost(message))


def _end_expired(failure_id: uuid.UUID) -> None:
    """Make a scheduled failure permanent if its `expires_at` has passed."""
    with transaction.atomic():
        expired = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED, expires_at__lte=Now())
        if expired.update(status=FailureStatus.PERMANENT, next_retry_at=None):
            schedule.cancel_check(failure_id)
            name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
            record(events.EXPIRED, subject=("failure", failure_id), name=name)
            metrics.CLOSED.labels(status=FailureStatus.PERMANENT).inc()


def _claimed(failure_id: uuid.UUID, number: int) -> QuerySet[Failure]:
    return Failure.objects.filter(id=failure_id, status=FailureStatus.RETRYING, retries=number)


def _attempt(failure_id: uuid.UUID, number: int) -> QuerySet[Attempt]:
    return Attempt.objects.filter(failure_id=failure_id, number=number)

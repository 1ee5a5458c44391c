"""The attempts to retry failures.

A worker claims a failure and commits the claim before the work begins. The claim increments `Failure.attempt`, the
fencing token of the attempt. The result of an attempt is recorded only if the token is unchanged, so a worker that lost
its claim cannot overwrite the result of another worker.
"""

import uuid
from collections.abc import Collection
from typing import Any

import structlog
from celery.exceptions import NotRegistered, SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from audit.services import record
from dlq import events, metrics, payloads
from dlq.error_reports import ErrorReport, report_exception
from dlq.errors import AttemptLost, NonRetryableError
from dlq.kinds.registry import find_kind
from dlq.models import (
    WAITING_STATUSES,
    Attempt,
    AttemptOutcome,
    Failure,
    FailureGroup,
    FailureStatus,
)
from dlq.retries import schedule
from hotelagent.core.messages import TranslatableMessage
from tenants.database.clock import database_now
from tenants.errors import TooManyDeliveries
from tenants.queue.celery_task import WORK_HEADER, get_task

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
    due = _due(failure_id)
    if due is not None and not _can_run(due):
        _postpone(failure_id)
        return
    failure = claim(failure_id=failure_id)
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
        record_failure(failure_id=failure.id, number=failure.attempt, error=error)
        raise
    except Exception as error:  # noqa: BLE001 - every error is a result of the attempt
        record_failure(failure_id=failure.id, number=failure.attempt, error=error)
    else:
        record_success(failure_id=failure.id, number=failure.attempt)


def _due(failure_id: uuid.UUID) -> Failure | None:
    scheduled = Failure.objects.filter(
        id=failure_id, status=FailureStatus.SCHEDULED, next_retry_at__lte=Now()
    )
    return scheduled.only("is_task", "name").first()


def claim(*, failure_id: uuid.UUID) -> Failure | None:
    """Claim a due failure for one attempt and return it.

    Return None if it is not due, or if another worker has claimed it. The claim is committed on return and is valid
    until `Failure.claimed_until`. `Failure.attempt` is the number of the attempt.
    """
    with transaction.atomic():
        now = database_now()
        claimed = Failure.objects.filter(
            id=failure_id, status=FailureStatus.SCHEDULED, next_retry_at__lte=now, expires_at__gt=now
        ).update(
            status=FailureStatus.RETRYING,
            retries=F("retries") + 1,
            attempt=F("attempt") + 1,
            next_retry_at=None,
        )
        if not claimed:
            return None
        failure = Failure.objects.get(id=failure_id)
        has_handler = find_kind(failure.name).handler is not None
        failure.claimed_until = now + (schedule.HANDLER_LEASE if has_handler else schedule.QUEUE_LEASE)
        failure.save(update_fields=["claimed_until"])
        schedule.schedule_check(failure.id, failure.claimed_until)
        Attempt.objects.create(
            failure=failure,
            number=failure.attempt,
            code_version=settings.CODE_VERSION,
        )
    return failure


def record_success(*, failure_id: uuid.UUID, number: int, worker: str = "") -> bool:
    """Record that attempt `number` succeeded, and resolve the failure.

    A success is recorded even if the attempt already counts as lost, because the work is done. If a later attempt is
    running by then, the failure stays open until that attempt ends. Return False and change nothing if the attempt has
    already succeeded or failed.
    """
    with transaction.atomic():
        failure = _lock(failure_id)
        recorded = _attempt(failure_id, number).filter(
            outcome__in=[AttemptOutcome.RUNNING, AttemptOutcome.LOST]
        )
        if not recorded.update(ended_at=Now(), outcome=AttemptOutcome.SUCCEEDED, worker=worker):
            log.warning("failure.late_success", failure=str(failure_id), attempt=number)
            return False
        is_running = failure.status == FailureStatus.RETRYING
        if failure.status in WAITING_STATUSES or (is_running and failure.attempt == number):
            _resolve(failure, number=number)
        metrics.count_on_commit(metrics.ATTEMPTS, outcome=AttemptOutcome.SUCCEEDED)
    return True


def record_failure(*, failure_id: uuid.UUID, number: int, error: BaseException, worker: str = "") -> bool:
    """Record that attempt `number` failed, and schedule the next retry or make the failure permanent.

    If the attempt was marked as lost in the meantime, its error is stored. A failure that is in doubt because of this
    attempt is no longer in doubt. Return False and change nothing if the attempt already has another result.
    """
    is_lost = isinstance(error, AttemptLost)
    outcome = AttemptOutcome.LOST if is_lost else AttemptOutcome.FAILED
    is_final = isinstance(error, NonRetryableError | TooManyDeliveries)
    report = report_exception((error.__cause__ or error) if isinstance(error, NonRetryableError) else error)
    with transaction.atomic():
        failure = _lock(failure_id)
        open_outcomes = [AttemptOutcome.RUNNING] if is_lost else [AttemptOutcome.RUNNING, AttemptOutcome.LOST]
        fields = report.as_fields(name=failure.name)
        store_group(report, name=failure.name)
        attempt = _attempt(failure_id, number).filter(outcome__in=open_outcomes)
        if not attempt.update(ended_at=Now(), outcome=outcome, worker=worker, **fields):
            log.warning("failure.late_failure", failure=str(failure_id), attempt=number)
            return False
        metrics.count_on_commit(metrics.ATTEMPTS, outcome=outcome)
        if failure.attempt == number and failure.status in {FailureStatus.RETRYING, FailureStatus.IN_DOUBT}:
            _end_attempt(failure, fields, is_lost=is_lost, is_final=is_final)
    return True


def _end_attempt(failure: Failure, fields: dict[str, Any], *, is_lost: bool, is_final: bool) -> None:
    """Store the status of the locked failure after its latest attempt has failed or was lost."""
    if failure.attempts.filter(outcome=AttemptOutcome.SUCCEEDED).exists():
        # An earlier attempt, which was considered lost, has succeeded.
        _resolve(failure, number=failure.attempt)
        return
    delay = None if is_final or failure.original is not None else schedule.retry_delay(failure.retries)
    if is_lost and not find_kind(failure.name).is_idempotent:
        status, delay = FailureStatus.IN_DOUBT, None
    else:
        status = FailureStatus.SCHEDULED if delay else FailureStatus.PERMANENT
    next_retry_at = database_now() + delay if delay else None
    Failure.objects.filter(id=failure.id).update(
        status=status, next_retry_at=next_retry_at, claimed_until=None, last_seen_at=Now(), **fields
    )
    if next_retry_at:
        schedule.schedule_check(failure.id, next_retry_at)
    else:
        schedule.cancel_check(failure.id)
    record(
        events.RETRY_FAILED,
        subject=("failure", failure.id),
        name=failure.name,
        attempt=failure.attempt,
        error=fields["error_type"],
        status=status,
    )
    if status == FailureStatus.PERMANENT:
        metrics.count_on_commit(metrics.CLOSED, status=status)


def resolve_work(*, work_keys: Collection[str]) -> None:
    """Resolve the open failures of this work, because the work has been done without a retry."""
    with transaction.atomic():
        waiting = Failure.objects.filter(work_key__in=work_keys, status__in=WAITING_STATUSES)
        for failure in waiting.order_by("id").select_for_update():
            _resolve(failure, number=failure.attempt)


def _resolve(failure: Failure, *, number: int) -> None:
    """Resolve the locked failure."""
    Failure.objects.filter(id=failure.id).update(
        status=FailureStatus.RESOLVED, claimed_until=None, next_retry_at=None, closed_at=Now()
    )
    schedule.cancel_check(failure.id)
    record(events.RESOLVED, subject=("failure", failure.id), name=failure.name, attempt=number)
    metrics.count_on_commit(metrics.CLOSED, status=FailureStatus.RESOLVED)


def store_group(report: ErrorReport, *, name: str) -> None:
    """Store the group of the error in the caller's transaction, unless it exists."""
    group = FailureGroup(
        fingerprint=report.fingerprint(name=name),
        name=name,
        error_type=report.type,
        location=report.location,
        error_message=report.message,
        traceback=report.traceback,
    )
    FailureGroup.objects.bulk_create([group], ignore_conflicts=True)


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
        record_failure(failure_id=failure_id, number=number, error=AttemptLost(message))


def _end_expired(failure_id: uuid.UUID) -> None:
    """Make a scheduled failure permanent if its `expires_at` has passed."""
    with transaction.atomic():
        expired = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED, expires_at__lte=Now())
        if expired.update(status=FailureStatus.PERMANENT, next_retry_at=None):
            schedule.cancel_check(failure_id)
            name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
            record(events.EXPIRED, subject=("failure", failure_id), name=name)
            metrics.count_on_commit(metrics.CLOSED, status=FailureStatus.PERMANENT)


def _lock(failure_id: uuid.UUID) -> Failure:
    failure: Failure = Failure.objects.select_for_update().get(id=failure_id)
    return failure


def _attempt(failure_id: uuid.UUID, number: int) -> QuerySet[Attempt]:
    return Attempt.objects.filter(failure_id=failure_id, number=number)

"""The attempts to retry failures.

A worker claims a failure and commits the claim before the work begins. The claim increments `Failure.attempt`, the
fencing token of the attempt. The result of an attempt is recorded only if the token is unchanged, so a worker that lost
its claim cannot overwrite the result of another worker.
"""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.db.transaction import TransactionManagementError

from audit.services import record
from dlq import events, payloads
from dlq.error_reports import ErrorReport, report_exception
from dlq.errors import AttemptLost, NonRetryableError
from dlq.groups.rules import store_group
from dlq.kinds.registry import find_kind
from dlq.models import (
    WAITING_STATUSES,
    Attempt,
    AttemptOutcome,
    Failure,
    FailureStatus,
)
from dlq.redrives.models import RedriveResult
from dlq.retries import schedule
from tenants.database.clock import database_now
from tenants.errors import TooManyDeliveries

log = structlog.get_logger(__name__)


def _due(now: datetime) -> QuerySet[Failure]:
    return Failure.objects.filter(status=FailureStatus.SCHEDULED, next_retry_at__lte=now, expires_at__gt=now)


def claim(*, failure_id: uuid.UUID, lease: timedelta | None = None) -> Failure | None:
    """Claim a due failure for one attempt and return it.

    Return None if it is not due, or if another worker has claimed it. The claim is committed on return and is valid
    until `Failure.claimed_until`. `Failure.attempt` is the number of the attempt. `lease` defaults to the lease of a
    retry handler or of a Celery task.
    """
    with transaction.atomic():
        now = database_now()
        claimed = (
            _due(now)
            .filter(id=failure_id)
            .update(
                status=FailureStatus.RETRYING,
                retries=F("retries") + 1,
                attempt=F("attempt") + 1,
                next_retry_at=None,
            )
        )
        if not claimed:
            return None
        failure = Failure.objects.get(id=failure_id)
        if lease is None:
            has_handler = find_kind(failure.name).handler is not None
            lease = schedule.HANDLER_LEASE if has_handler else schedule.QUEUE_LEASE
        failure.claimed_until = now + lease
        redrive = None
        if failure.redrive_result == RedriveResult.WAITING:
            redrive, failure.redrive, failure.redrive_result = failure.redrive, None, ""
        failure.save(update_fields=["claimed_until", "redrive", "redrive_result"])
        schedule.schedule_check(failure.id, failure.claimed_until)
        Attempt.objects.create(
            failure=failure,
            number=failure.attempt,
            code_version=settings.CODE_VERSION,
            redrive=redrive,
        )
    return failure


def claim_next(*, names: Collection[str], lease: timedelta, limit: int = 1) -> list[Failure]:
    """Claim at most `limit` due failures with these names, oldest first, and return them.

    Each claim is committed on return and is valid for `lease`. Concurrent callers claim different failures.
    """
    due = _due(database_now()).filter(name__in=names).order_by("id")
    claims = (
        claim(failure_id=failure_id, lease=lease) for failure_id in due.values_list("id", flat=True)[:limit]
    )
    return [failure for failure in claims if failure is not None]


def extend(*, failure_id: uuid.UUID, number: int, lease: timedelta) -> datetime | None:
    """Extend the lease of attempt `number` to `lease` from now, and return its new end.

    Return None and change nothing if the attempt has ended, or if it was lost because its lease had expired.
    """
    with transaction.atomic():
        claimed_until = database_now() + lease
        running = Failure.objects.filter(id=failure_id, status=FailureStatus.RETRYING, attempt=number)
        if not running.update(claimed_until=claimed_until):
            return None
        schedule.schedule_check(failure_id, claimed_until)
    return claimed_until


def resolve_here(failure: Failure) -> None:
    """Resolve a claimed failure in the caller's transaction, so that the effect of a handler and the result commit
    together.

    A retry handler calls this function in the transaction in which it does its work. If the worker dies before the
    commit, neither is stored. Raises AttemptLost if the attempt has ended or was lost, so that the transaction of the
    handler is rolled back. Raises TransactionManagementError if there is no transaction.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("Call resolve_here() in the transaction.atomic() block of the work.")
    current = _lock(failure.id)
    if (current.status, current.attempt) != (FailureStatus.RETRYING, failure.attempt):
        raise AttemptLost(f"Attempt {failure.attempt} of the failure {failure.id} is not running any more.")
    record_success(failure_id=failure.id, number=failure.attempt)


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
            if not _attempt(failure_id, number).filter(outcome=AttemptOutcome.SUCCEEDED).exists():
                log.warning("failure.late_success", failure=str(failure_id), attempt=number)
            return False
        is_running = failure.status == FailureStatus.RETRYING
        if failure.status in WAITING_STATUSES or (is_running and failure.attempt == number):
            _resolve(failure, number=number)
    return True


def record_failure(
    *,
    failure_id: uuid.UUID,
    number: int,
    error: BaseException | ErrorReport,
    worker: str = "",
    retry: bool = True,
) -> bool:
    """Record that attempt `number` failed, and schedule the next retry or make the failure permanent.

    `retry=False` makes the failure permanent. If the attempt was marked as lost in the meantime, its error is stored. A
    failure that is in doubt because of this attempt is no longer in doubt. Return False and change nothing if the
    attempt already has another result.
    """
    is_lost = isinstance(error, AttemptLost)
    outcome = AttemptOutcome.LOST if is_lost else AttemptOutcome.FAILED
    is_final = not retry or isinstance(error, NonRetryableError | TooManyDeliveries)
    if not isinstance(error, ErrorReport):
        report = report_exception(
            (error.__cause__ or error) if isinstance(error, NonRetryableError) else error
        )
    else:
        report = error
    with transaction.atomic():
        failure = _lock(failure_id)
        open_outcomes = [AttemptOutcome.RUNNING] if is_lost else [AttemptOutcome.RUNNING, AttemptOutcome.LOST]
        report = payloads.hide_values(report, failure)
        fields = report.as_fields(name=failure.name)
        group = store_group(report, failure)
        attempt = _attempt(failure_id, number).filter(outcome__in=open_outcomes)
        if not attempt.update(ended_at=Now(), outcome=outcome, worker=worker, **fields):
            log.warning("failure.late_failure", failure=str(failure_id), attempt=number)
            return False
        if failure.attempt == number and failure.status in {FailureStatus.RETRYING, FailureStatus.IN_DOUBT}:
            _end_attempt(failure, {**fields, "fingerprint": group}, is_lost=is_lost, is_final=is_final)
    return True


def _end_attempt(failure: Failure, fields: dict[str, Any], *, is_lost: bool, is_final: bool) -> None:
    """Store the status of the locked failure after its latest attempt has failed or was lost."""
    if failure.attempts.filter(outcome=AttemptOutcome.SUCCEEDED).exists():
        # An earlier attempt, which was considered lost, has succeeded.
        _resolve(failure, number=failure.attempt)
        return
    kind = find_kind(failure.name)
    has_delay = not is_final and payloads.is_exact(failure)
    delay = schedule.retry_delay(failure.retries, delays=kind.delays) if has_delay else None
    is_idempotent = kind.is_idempotent if failure.is_idempotent is None else failure.is_idempotent
    if is_lost and not is_idempotent:
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


def _lock(failure_id: uuid.UUID) -> Failure:
    failure: Failure = Failure.objects.select_for_update().get(id=failure_id)
    return failure


def _attempt(failure_id: uuid.UUID, number: int) -> QuerySet[Attempt]:
    return Attempt.objects.filter(failure_id=failure_id, number=number)

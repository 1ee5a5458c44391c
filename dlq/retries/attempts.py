"""The attempts to retry failures.

A worker claims a failure and commits the claim before the retry begins. The claim increments `Failure.attempt`, the
fencing token of the attempt. The result of an attempt is recorded only if the token is unchanged, so a worker that lost
its claim cannot overwrite the result of another worker.
"""

import json
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.db.transaction import TransactionManagementError
from django.utils.translation import gettext_noop

from audit.services import actor_as_json, record
from dlq import events, payloads, selectors
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
from dlq.retries import ordering, schedule
from hotelagent.core.messages import TranslatableMessage
from tenants.context import current_tenant
from tenants.database.clock import database_now
from tenants.database.functions import JsonRows, call_function
from tenants.errors import TooManyDeliveries

log = structlog.get_logger(__name__)

#: The number of failures that `claim_next` reads beyond `limit`, because other callers may claim some of them.
SPARE_CANDIDATES = 50
_FAILURES: Final = JsonRows(Failure)


def claim(
    *, failure_id: uuid.UUID, lease: timedelta = schedule.HANDLER_LEASE, is_dispatched: bool = False
) -> Failure | None:
    """Claim a due failure for one attempt and return the failure.

    Return None if the failure is not due, if another worker has claimed it, if its retries are paused, or if
    it waits for an older failure with the same ordering key.

    The claim is committed on return, unless the caller has started a transaction, and is valid until
    `Failure.claimed_until`. `Failure.attempt` is the number of the attempt. `is_dispatched` is whether the
    due queue has sent the failure to this worker. The due queue then sends the failure again if the worker
    dies.
    """
    row = call_function(
        "dlq_claim",
        {
            "failure": str(failure_id),
            "hotel": _hotel_id(),
            "lease": lease.total_seconds(),
            "blocked_seconds": schedule.BLOCKED_DELAY.total_seconds(),
            "code_version": settings.CODE_VERSION,
            "is_dispatched": is_dispatched,
        },
    )
    return None if row is None else _FAILURES.instance(row)


def claim_next(*, names: Collection[str], lease: timedelta, limit: int = 1) -> list[Failure]:
    """Claim at most `limit` due failures with these names, beginning with the failures that have been due longest.

    Each claim is committed on return and expires after `lease`. Concurrent callers claim different failures.
    """
    claimed: list[Failure] = []
    # Callers that claim failures at the same time find the same failures in the query.
    # Each caller reads more failures than `limit`, because other callers may claim some of them first.
    for failure_id in selectors.claimable_failures(names=names, limit=limit + SPARE_CANDIDATES):
        if len(claimed) == limit:
            break
        failure = claim(failure_id=failure_id, lease=lease)
        if failure is not None:
            claimed.append(failure)
    return claimed


def extend(*, failure_id: uuid.UUID, number: int, lease: timedelta) -> datetime | None:
    """Extend the lease of attempt `number`, so that it ends after the duration `lease`. Return the end of the lease.

    Return None and change nothing if the attempt has ended, or if it was lost because its lease had expired.
    """
    claimed_until = database_now() + lease
    running = Failure.objects.filter(id=failure_id, status=FailureStatus.RETRYING, attempt=number)
    return claimed_until if running.update(claimed_until=claimed_until) else None


def resolve_in_transaction(failure: Failure) -> None:
    """Resolve a claimed failure in the transaction in which a retry handler does its work.

    If the worker dies before the commit, neither the work nor the result is stored. Raises AttemptLost if the
    attempt has ended or was lost, so that the transaction of the handler is rolled back. Raises
    TransactionManagementError if there is no transaction.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError(
            "Call resolve_in_transaction() in the transaction.atomic() block of the work."
        )
    current = ordering.lock_failure(failure.id)
    if (current.status, current.attempt) != (FailureStatus.RETRYING, failure.attempt):
        raise AttemptLost(f"Attempt {failure.attempt} of the failure {failure.id} is not running any more.")
    record_success(failure_id=failure.id, number=failure.attempt)


def record_success(*, failure_id: uuid.UUID, number: int, worker: str = "") -> bool:
    """Record that attempt `number` succeeded, and resolve the failure.

    A success is recorded even if the attempt already counts as lost, because the work is done. If a later attempt is
    already running, the failure stays open until that attempt ends. Return False and change nothing if the attempt has
    already succeeded or failed.
    """
    result = call_function(
        "dlq_record_success",
        {
            "failure": str(failure_id),
            "number": number,
            "hotel": _hotel_id(),
            "worker": worker,
            "actor": actor_as_json(),
        },
    )
    if not result["is_recorded"] and result["outcome"] != AttemptOutcome.SUCCEEDED:
        log.warning("failure.late_success", failure=str(failure_id), attempt=number)
    return bool(result["is_recorded"])


def record_lost(*, failure_id: uuid.UUID, number: int) -> bool:
    """Record that attempt `number` was lost, because its lease has expired.

    Return False and change nothing if the attempt has ended or has extended its lease.
    """
    with transaction.atomic():
        failure = ordering.lock_failure(failure_id)
        if failure.claimed_until is None or failure.claimed_until > database_now():
            return False
        error = AttemptLost(TranslatableMessage(gettext_noop("The worker did not report a result in time.")))
        return record_failure(failure_id=failure_id, number=number, error=error)


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
        failure = ordering.lock_failure(failure_id)
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
        # An earlier attempt has succeeded after it was recorded as lost, so the work is done.
        _resolve(failure, number=failure.attempt)
        return
    kind = find_kind(failure.name)
    has_delay = not is_final and payloads.is_exact(failure) and failure.overtaken_at is None
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
    """Resolve the open failures of work that has been done without a retry. `work_keys` identify the work."""
    with transaction.atomic():
        waiting = Failure.objects.filter(work_key__in=work_keys, status__in=WAITING_STATUSES)
        for failure_id in waiting.order_by("id").values_list("id", flat=True):
            failure = ordering.lock_failure(failure_id)
            if failure.status in WAITING_STATUSES:
                _resolve(failure, number=failure.attempt)


def _resolve(failure: Failure, *, number: int) -> None:
    """Record that attempt `number` of the locked failure has succeeded, and close the failure."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT dlq_resolve(%s, %s, %s, %s)",
            [failure.id, number, current_tenant().id, json.dumps(actor_as_json())],
        )


def _hotel_id() -> str | None:
    tenant_id = current_tenant().id
    return None if tenant_id is None else str(tenant_id)


def _attempt(failure_id: uuid.UUID, number: int) -> QuerySet[Attempt]:
    return Attempt.objects.filter(failure_id=failure_id, number=number)

"""Sending a failure again.

The claim is committed before the work begins, and the number it gave is the fencing token: whoever finishes must
still hold it. So of N workers one does the work, and one says how it ended.
"""

import uuid

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from audit.services import record
from dlq import events, metrics, plan, policy, registry
from dlq.errors import AttemptLost, NonRetryableError
from dlq.models import Attempt, Failure, Outcome, Status
from dlq.reports import describe
from dlq.services import error_fields
from hotelagent.core.messages import TranslatableMessage
from tenants.database.clock import database_now
from tenants.queue.celery_task import get_task

log = structlog.get_logger(__name__)

# What a task that is sent again carries in its headers, so that its end is known to be this attempt's.
FAILURE_HEADER = "dlq_failure"
ATTEMPT_HEADER = "dlq_attempt"


def retry_due(*, failure_id: uuid.UUID) -> None:
    """Try one failure again if it is due and nobody else is at it; nothing to do is no error.

    An error of the work is stored as the attempt's. Only running out of time is raised further, so that the
    caller stops.
    """
    _settle_lost(failure_id)
    _settle_expired(failure_id)
    failure = claim(failure_id=failure_id)
    if failure is None:
        return
    send_again = registry.find(failure.name)
    try:
        if send_again:
            send_again(failure)
        else:
            _requeue(failure)
            return  # its end is reported by the task's own
    except SoftTimeLimitExceeded as error:
        failed(failure_id=failure.id, number=failure.attempts, error=error)
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to the attempt
        failed(failure_id=failure.id, number=failure.attempts, error=error)
    else:
        succeeded(failure_id=failure.id, number=failure.attempts)


def claim(*, failure_id: uuid.UUID) -> Failure | None:
    """Take a due failure for one attempt; None if it isn't due, or another has it. Committed on return.

    The claim ends by itself with its lease; `attempts` of the returned failure is the number to finish with.
    """
    with transaction.atomic():
        now = database_now()
        taken = Failure.objects.filter(
            id=failure_id, status=Status.SCHEDULED, next_retry_at__lte=now, expires_at__gt=now
        ).update(status=Status.RETRYING, attempts=F("attempts") + 1, next_retry_at=None)
        if not taken:
            return None
        failure = Failure.objects.get(id=failure_id)
        lease = policy.RUN_LEASE if registry.find(failure.name) else policy.QUEUE_LEASE
        failure.claimed_until = now + lease
        failure.save(update_fields=["claimed_until"])
        plan.at(failure.id, failure.claimed_until)
        Attempt.objects.create(failure=failure, number=failure.attempts)
    return failure


def succeeded(*, failure_id: uuid.UUID, number: int) -> bool:
    """Say that attempt `number` did the work.

    False, and nothing is changed, if it no longer holds the claim.
    """
    with transaction.atomic():
        moved = _held(failure_id, number).update(status=Status.RESOLVED, claimed_until=None)
        if not moved:
            log.warning("failure.late_success", failure=str(failure_id), attempt=number)
            return False
        _attempt(failure_id, number).update(ended_at=Now(), outcome=Outcome.SUCCEEDED)
        plan.never(failure_id)
        name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
        record(events.RESOLVED, subject=("failure", failure_id), name=name, attempt=number)
    metrics.ATTEMPTS.labels(outcome=Outcome.SUCCEEDED).inc()
    metrics.CLOSED.labels(status=Status.RESOLVED).inc()
    return True


def failed(*, failure_id: uuid.UUID, number: int, error: BaseException) -> bool:
    """Say that attempt `number` failed: the next is planned, or after the last the failure is permanent.

    False, and nothing is changed, if it no longer holds the claim.
    """
    # Giving up is what we make of an error; what is to be read is the error.
    report = describe(error.__cause__ or error if isinstance(error, NonRetryableError) else error)
    outcome = Outcome.LOST if isinstance(error, AttemptLost) else Outcome.FAILED
    wait = None if isinstance(error, NonRetryableError) else policy.delay(number)
    status = Status.SCHEDULED if wait else Status.PERMANENT
    with transaction.atomic():
        name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
        next_retry_at = database_now() + wait if wait else None
        moved = _held(failure_id, number).update(
            status=status,
            next_retry_at=next_retry_at,
            claimed_until=None,
            fingerprint=report.fingerprint(name=name),
            last_seen_at=Now(),
            **error_fields(report),
        )
        if not moved:
            log.warning("failure.late_failure", failure=str(failure_id), attempt=number)
            return False
        _attempt(failure_id, number).update(ended_at=Now(), outcome=outcome, **error_fields(report))
        if next_retry_at:
            plan.at(failure_id, next_retry_at)
        else:
            plan.never(failure_id)
        record(
            events.RETRY_FAILED,
            subject=("failure", failure_id),
            name=name,
            attempt=number,
            error=report.type,
            status=status,
        )
    metrics.ATTEMPTS.labels(outcome=outcome).inc()
    if status == Status.PERMANENT:
        metrics.CLOSED.labels(status=status).inc()
    return True


def _requeue(failure: Failure) -> None:
    get_task(failure.name).apply_async(
        args=failure.payload["args"],
        kwargs=failure.payload["kwargs"],
        headers={FAILURE_HEADER: str(failure.id), ATTEMPT_HEADER: str(failure.attempts)},
    )


def _settle_lost(failure_id: uuid.UUID) -> None:
    lost = Failure.objects.filter(id=failure_id, status=Status.RETRYING, claimed_until__lt=Now())
    number = lost.values_list("attempts", flat=True).first()
    if number is not None:
        lost_worker = TranslatableMessage(_("The worker that was at it never reported back."))
        failed(failure_id=failure_id, number=number, error=AttemptLost(lost_worker))


def _settle_expired(failure_id: uuid.UUID) -> None:
    with transaction.atomic():
        expired = Failure.objects.filter(id=failure_id, status=Status.SCHEDULED, expires_at__lte=Now())
        if expired.update(status=Status.PERMANENT, next_retry_at=None):
            plan.never(failure_id)
            name = Failure.objects.values_list("name", flat=True).get(id=failure_id)
            record(events.EXPIRED, subject=("failure", failure_id), name=name)
            metrics.CLOSED.labels(status=Status.PERMANENT).inc()


def _held(failure_id: uuid.UUID, number: int) -> QuerySet[Failure]:
    return Failure.objects.filter(id=failure_id, status=Status.RETRYING, attempts=number)


def _attempt(failure_id: uuid.UUID, number: int) -> QuerySet[Attempt]:
    return Attempt.objects.filter(failure_id=failure_id, number=number)

"""The operations on failures: capture, retry and discard.

Each change of status is an UPDATE that requires the expected status and checks the row count.
"""

import uuid
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from audit.services import record
from dlq import events, metrics, registry
from dlq.error_reports import ErrorReport, report_exception, to_jsonb
from dlq.errors import FailureNotFound, FailureNotRetryable, FailureStateError
from dlq.models import (
    OPEN_STATUSES,
    WAITING_STATUSES,
    Attempt,
    AttemptOutcome,
    Failure,
    FailureKind,
    FailureStatus,
)
from dlq.retries import schedule
from tenants.database.clock import database_now


def capture(
    *,
    kind: str,
    source: str,
    name: str,
    payload: dict[str, Any],
    error: BaseException | ErrorReport,
    retry: bool = True,
) -> Failure:
    """Store a failure of the current tenant, in the caller's transaction if there is one, and return it.

    `payload` is the data that a retry needs. It may contain personal data. The error texts are redacted before they are
    stored. `retry=False` makes the failure permanent, so it is not retried automatically. If there is an open failure
    with the same fingerprint and payload, its `occurrences` is incremented and that failure is returned.
    """
    report = error if isinstance(error, ErrorReport) else report_exception(error)
    payload = to_jsonb(payload)
    fingerprint = report.fingerprint(name=name)
    metrics.CAPTURED.labels(kind=kind).inc()
    with transaction.atomic():
        if existing := _count_occurrence(fingerprint=fingerprint, payload=payload):
            return existing
        now = database_now()
        delay = schedule.retry_delay(0) if retry and _is_retryable(kind=kind, name=name) else None
        failure = Failure.objects.create(
            kind=kind,
            source=source,
            name=name,
            payload=payload,
            fingerprint=fingerprint,
            **report.as_fields(),
            status=FailureStatus.SCHEDULED if delay else FailureStatus.PERMANENT,
            next_retry_at=now + delay if delay else None,
            expires_at=now + schedule.MAX_AGE,
        )
        Attempt.objects.create(
            failure=failure, number=0, ended_at=now, outcome=AttemptOutcome.FAILED, **report.as_fields()
        )
        if failure.next_retry_at:
            schedule.schedule_check(failure.id, failure.next_retry_at)
        record(
            events.CAPTURED,
            subject=("failure", failure.id),
            source=failure.source,
            name=failure.name,
            error=failure.error_type,
            fingerprint=fingerprint,
            status=failure.status,
        )
    if failure.status == FailureStatus.PERMANENT:
        metrics.CLOSED.labels(status=failure.status).inc()
    return failure


def retry(*, failure_id: uuid.UUID) -> None:
    """Schedule an immediate retry of a scheduled or permanent failure.

    Returns before the retry runs. Raises FailureNotFound, FailureNotRetryable, FailureStateError.
    """
    with transaction.atomic():
        failure = _get_waiting(failure_id)
        if not _is_retryable(kind=failure.kind, name=failure.name):
            raise FailureNotRetryable(
                _(
                    "{name} was reported by {source}. Send it again from {source}, and then discard the failure here."
                ).format(name=failure.name, source=failure.source)
            )
        now = database_now()
        _update_unchanged(
            failure, status=FailureStatus.SCHEDULED, next_retry_at=now, expires_at=now + schedule.MAX_AGE
        )
        schedule.schedule_check(failure.id, now)
        record(events.RETRY_REQUESTED, subject=("failure", failure.id), name=failure.name, was=failure.status)


def discard(*, failure_id: uuid.UUID, reason: str) -> None:
    """Discard a scheduled or permanent failure. The failure and its attempts are kept.

    Raises FailureNotFound, FailureStateError.
    """
    with transaction.atomic():
        failure = _get_waiting(failure_id)
        _update_unchanged(failure, status=FailureStatus.DISCARDED, next_retry_at=None, discard_reason=reason)
        schedule.cancel_check(failure.id)
        record(events.DISCARDED, subject=("failure", failure.id), name=failure.name, was=failure.status)
    metrics.CLOSED.labels(status=FailureStatus.DISCARDED).inc()


def _is_retryable(*, kind: str, name: str) -> bool:
    return kind == FailureKind.TASK or registry.find_retry_handler(name) is not None


def _count_occurrence(*, fingerprint: str, payload: dict[str, Any]) -> Failure | None:
    """Increment the occurrences of the open failure with this fingerprint and payload. Return the failure, or None."""
    same = Failure.objects.filter(fingerprint=fingerprint, payload=payload, status__in=OPEN_STATUSES)
    if (failure := same.order_by("-id").first()) is None:
        return None
    updated = Failure.objects.filter(id=failure.id, status__in=OPEN_STATUSES).update(
        occurrences=F("occurrences") + 1, last_seen_at=Now()
    )
    if (
        not updated
    ):  # Another transaction has resolved or discarded the failure, so the caller stores a new failure.
        return None
    failure.refresh_from_db(fields=["occurrences", "last_seen_at"])
    return failure


def _get_waiting(failure_id: uuid.UUID) -> Failure:
    failure = Failure.objects.filter(id=failure_id).first()
    if failure is None:
        raise FailureNotFound(_("There is no failure {id}.").format(id=failure_id))
    if failure.status not in WAITING_STATUSES:
        raise _state_error(failure.status)
    return failure


def _update_unchanged(failure: Failure, **changes: object) -> None:
    """Update the failure. Raises FailureStateError if its status or number of retries has changed since it was read."""
    unchanged = Failure.objects.filter(id=failure.id, status=failure.status, retries=failure.retries)
    if not unchanged.update(**changes):
        raise _state_error(Failure.objects.values_list("status", flat=True).get(id=failure.id))


def _state_error(status: str) -> FailureStateError:
    detail = _("The status of the failure is {status}. It must be scheduled or permanent.").format(
        status=FailureStatus(status).label
    )
    return FailureStateError(detail, state=status)

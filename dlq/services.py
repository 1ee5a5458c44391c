"""What can be done with a failure. Every change of state is an update whose row count is looked at."""

import uuid
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.services import record
from dlq import events, metrics, plan, policy, registry
from dlq.errors import FailureNotFound, FailureNotRetryable, FailureStateError
from dlq.models import Attempt, Failure, Kind, Outcome, Status
from dlq.reports import Report, describe, storable
from tenants.database.clock import database_now

OPEN = (Status.SCHEDULED, Status.RETRYING, Status.PERMANENT)
WAITING = (Status.SCHEDULED, Status.PERMANENT)  # open, and nobody is at it


def capture(
    *,
    kind: str,
    source: str,
    name: str,
    payload: dict[str, Any],
    error: BaseException | Report,
    retry: bool = True,
) -> Failure:
    """Keep something that failed, in the tenant that is set; in the caller's transaction, if one is open.

    `payload` is what sending it again needs, and no more: it may hold personal data, the error's text is
    stored without. `retry=False` says that trying again can't help: it waits for a person. The same failure
    of the same work, while it is open, is one entry that was seen once more.
    """
    report = error if isinstance(error, Report) else describe(error)
    payload = storable(payload)
    fingerprint = report.fingerprint(name=name)
    metrics.CAPTURED.labels(kind=kind).inc()
    with transaction.atomic():
        if seen := _seen_again(fingerprint=fingerprint, payload=payload):
            return seen
        now = database_now()
        wait = policy.delay(0) if retry and _can_retry(kind=kind, name=name) else None
        failure = Failure.objects.create(
            kind=kind,
            source=source,
            name=name,
            payload=payload,
            fingerprint=fingerprint,
            **error_fields(report),
            status=Status.SCHEDULED if wait else Status.PERMANENT,
            next_retry_at=now + wait if wait else None,
            expires_at=now + policy.LIFE,
        )
        Attempt.objects.create(
            failure=failure, number=0, ended_at=now, outcome=Outcome.FAILED, **error_fields(report)
        )
        if failure.next_retry_at:
            plan.at(failure.id, failure.next_retry_at)
        record(
            events.CAPTURED,
            subject=("failure", failure.id),
            source=failure.source,
            name=failure.name,
            error=failure.error_type,
            fingerprint=fingerprint,
            status=failure.status,
        )
    if failure.status == Status.PERMANENT:
        metrics.CLOSED.labels(status=failure.status).inc()
    return failure


def retry(*, failure_id: uuid.UUID) -> None:
    """Have a failure sent again as soon as a worker is free, whether it was scheduled or given up.

    Returns when that is planned, not when it is done; the entry stays until the retry has succeeded. Raises
    FailureNotFound, FailureNotRetryable, or FailureStateError for one that is being retried, resolved or discarded.
    """
    with transaction.atomic():
        failure = _waiting(failure_id)
        if not _can_retry(kind=failure.kind, name=failure.name):
            raise FailureNotRetryable(
                f"{failure.name} came from {failure.source} and nothing here can send it again. "
                "Send it again there, then discard it here with that reason."
            )
        now = database_now()
        _move(failure, status=Status.SCHEDULED, next_retry_at=now, expires_at=now + policy.LIFE)
        plan.at(failure.id, now)
        record(events.RETRY_REQUESTED, subject=("failure", failure.id), name=failure.name, was=failure.status)


def discard(*, failure_id: uuid.UUID, reason: str) -> None:
    """Close a failure that need not be sent again, and say why. The entry and its attempts stay.

    Raises FailureNotFound, or FailureStateError for one that is being retried, resolved or discarded.
    """
    with transaction.atomic():
        failure = _waiting(failure_id)
        _move(failure, status=Status.DISCARDED, next_retry_at=None, discard_reason=reason)
        plan.never(failure.id)
        record(events.DISCARDED, subject=("failure", failure.id), name=failure.name, was=failure.status)
    metrics.CLOSED.labels(status=Status.DISCARDED).inc()


def error_fields(report: Report) -> dict[str, Any]:
    return {
        "error_type": report.type,
        "error_message": report.message,
        "error_sentence": report.sentence,
        "traceback": report.traceback,
    }


def _can_retry(*, kind: str, name: str) -> bool:
    return kind == Kind.TASK or registry.find(name) is not None


def _seen_again(*, fingerprint: str, payload: dict[str, Any]) -> Failure | None:
    """The open entry for the same failure of the same work, counted once more; None where there is none."""
    same = Failure.objects.filter(fingerprint=fingerprint, payload=payload, status__in=OPEN).order_by("-id")
    if (seen := same.first()) is None:
        return None
    counted = Failure.objects.filter(id=seen.id, status__in=OPEN).update(
        occurrences=F("occurrences") + 1, last_seen_at=Now()
    )
    if not counted:  # it was closed a moment ago: this one is a new failure
        return None
    seen.refresh_from_db(fields=["occurrences", "last_seen_at"])
    return seen


def _waiting(failure_id: uuid.UUID) -> Failure:
    failure = Failure.objects.filter(id=failure_id).first()
    if failure is None:
        raise FailureNotFound(f"There is no failure {failure_id} here.")
    if failure.status not in WAITING:
        raise _state_error(failure.status)
    return failure


def _move(failure: Failure, **changes: object) -> None:
    """Change it if it is still as it was read, status and attempts; else raise FailureStateError."""
    unchanged = Failure.objects.filter(id=failure.id, status=failure.status, attempts=failure.attempts)
    if not unchanged.update(**changes):
        raise _state_error(Failure.objects.values_list("status", flat=True).get(id=failure.id))


def _state_error(state: str) -> FailureStateError:
    return FailureStateError(f"It is {state}; it must be {' or '.join(WAITING)}.", state=state)

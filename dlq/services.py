"""The operations on failures: capture, retry and discard.

Each change of status is an UPDATE that requires the expected status and checks the row count.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _
from psycopg.pq import TransactionStatus

from audit.services import record
from dlq import events, payloads
from dlq.capture_request import UNKNOWN_ORIGIN, Origin, capture_request
from dlq.error_reports import ErrorReport
from dlq.errors import FailureNotFound, FailureNotRetryable, FailureStateError, InvalidPayload
from dlq.kinds.availability import has_code
from dlq.kinds.namespaces import missing_handler_reason
from dlq.kinds.registry import find_kind
from dlq.kinds.schemas import errors_by_field, find_problems
from dlq.models import WAITING_STATUSES, Failure, FailureStatus
from dlq.policy import MAX_AGE
from dlq.retries import ordering, schedule
from tenants.database.clock import database_now
from tenants.database.connections import call_on_second_connection
from tenants.database.functions import call_function


@dataclass(frozen=True, slots=True)
class CapturedFailure:
    """The failure that `capture` stored. `is_new` is False if an open failure of the same work was updated."""

    id: uuid.UUID
    status: FailureStatus
    is_new: bool


def capture(
    *,
    is_task: bool,
    source: str,
    name: str,
    payload: Any,
    error: BaseException | ErrorReport,
    retry: bool = True,
    work_key: str = "",
    ordering_key: str = "",
    origin: Origin = UNKNOWN_ORIGIN,
) -> CapturedFailure:
    """Store a failure of the current tenant and return its id and status.

    The failure is stored in the caller's transaction. If that transaction can only be rolled back, because a statement
    in it has failed, the failure is stored in a separate transaction. One database statement stores the failure, its
    first attempt, its group, its due item and the audit event.

    `payload` is the data that a retry needs, in general a dict. It may contain personal data. The error texts are
    redacted before they are stored. `retry=False` makes the failure permanent, so it is not retried automatically. A
    payload that JSON cannot hold exactly, or that does not match the schema of its kind, makes it permanent, too.

    `work_key` identifies the work. It defaults to a digest of source, name and payload. If a failure with this work key
    is open, its `occurrences` is incremented, its error is replaced, and that failure is returned. The new error is
    kept as a further attempt, unless a worker is retrying the failure.

    Failures with the same `ordering_key` are retried one at a time, oldest first. It defaults to the ordering key that
    the kind declares for the payload.
    """
    request = capture_request(
        is_task=is_task,
        source=source,
        name=name,
        payload=payload,
        error=error,
        retry=retry,
        work_key=work_key,
        ordering_key=ordering_key,
        origin=origin,
    )
    if _transaction_is_broken():
        return call_on_second_connection(lambda: _store(request))
    return _store(request)


def _store(request: dict[str, Any]) -> CapturedFailure:
    result = call_function("dlq_capture", request)
    return CapturedFailure(uuid.UUID(result["id"]), FailureStatus(result["status"]), result["is_new"])


def _transaction_is_broken() -> bool:
    """Return whether a statement of the open transaction has failed, so only a rollback is possible."""
    if not connection.in_atomic_block:
        return False
    status = connection.connection.info.transaction_status
    return connection.needs_rollback or status == TransactionStatus.INERROR


def retry(*, failure_id: uuid.UUID) -> None:
    """Schedule an immediate retry of a failure that is scheduled, permanent or in doubt.

    Returns before the retry runs. Raises FailureNotFound, FailureNotRetryable, FailureStateError and
    InvalidPayload.
    """
    with transaction.atomic():
        failure = _get_waiting(failure_id)
        kind = find_kind(failure.name)
        if not has_code(failure) and not failure.is_task:
            raise FailureNotRetryable(
                _(
                    "This version of the application has no retry handler for {name}. Deploy a version that has the "
                    "retry handler and retry again, or discard the failure."
                ).format(name=failure.name)
            )
        if reason := missing_handler_reason(name=failure.name, source=failure.source):
            raise FailureNotRetryable(reason)
        if problems := find_problems(kind, payloads.restore(failure)):
            raise InvalidPayload(
                _("The payload does not match its schema: {problems}").format(
                    problems=" ".join(map(str, problems))
                ),
                errors=errors_by_field(problems),
            )
        now = database_now()
        _update_unchanged(
            failure,
            status=FailureStatus.SCHEDULED,
            next_retry_at=now,
            expires_at=now + MAX_AGE,
            regressed_at=None,
            overtaken_at=None,
        )
        schedule.schedule_check(failure.id, now, keep_initiator=True)
        record(events.RETRY_REQUESTED, subject=("failure", failure.id), name=failure.name, was=failure.status)


def discard(*, failure_id: uuid.UUID, reason: str) -> None:
    """Discard a failure that is scheduled, permanent or in doubt. The failure and its attempts are kept.

    Raises FailureNotFound, FailureStateError.
    """
    with transaction.atomic():
        failure = _get_waiting(failure_id)
        _update_unchanged(
            failure,
            status=FailureStatus.DISCARDED,
            next_retry_at=None,
            closed_at=database_now(),
            discard_reason=reason,
        )
        schedule.cancel_check(failure.id)
        ordering.wake_next(failure.ordering_key)
        record(events.DISCARDED, subject=("failure", failure.id), name=failure.name, was=failure.status)


def _get_waiting(failure_id: uuid.UUID) -> Failure:
    failure: Failure | None = Failure.objects.filter(id=failure_id).first()
    if failure is None:
        raise FailureNotFound(_("There is no failure {id}.").format(id=failure_id))
    ordering.lock(failure.ordering_key)
    if failure.status not in WAITING_STATUSES:
        raise _state_error(failure.status)
    return failure


def _update_unchanged(failure: Failure, **changes: object) -> None:
    """Update the failure.

    Raises FailureStateError if the status or the latest attempt has changed since the failure was read.
    """
    unchanged = Failure.objects.filter(id=failure.id, status=failure.status, attempt=failure.attempt)
    if not unchanged.update(**changes):
        raise _state_error(Failure.objects.values_list("status", flat=True).get(id=failure.id))


def _state_error(status: str) -> FailureStateError:
    detail = _(
        "Only a failure that waits for a retry or for a decision can be changed. "
        "The status of this failure is {status}."
    )
    return FailureStateError(detail.format(status=FailureStatus(status).label), state=status)

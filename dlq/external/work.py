"""The processing of failures by other systems: claim, extend the lease, acknowledge, fail.

An API client can claim and end only failures of its namespace (`dlq.kinds.namespaces`).
"""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record_many
from dlq import events, payloads
from dlq.error_reports import ErrorReport
from dlq.errors import AttemptStateError, FailureNotFound, FailureNotRetryable
from dlq.kinds.namespaces import external_name, namespace
from dlq.models import Attempt, AttemptOutcome, Failure, FailureStatus
from dlq.retries import attempts


def claim(
    *, client: str, kinds: Collection[str], lease: timedelta, limit: int, is_idempotent: bool
) -> list[Failure]:
    """Claim at most `limit` due failures of these kinds, oldest first, and return them with their payloads.

    `is_idempotent` says whether the work can safely be done twice. If the work cannot be done twice and the lease
    expires, the failure is in doubt and waits for a person. The access to the payloads is recorded in the audit trail.
    """
    names = [external_name(client, kind) for kind in kinds]
    claimed = []
    for failure in attempts.claim_next(names=names, lease=lease, limit=limit):
        try:
            failure.payload = payloads.restore(failure)
        except FailureNotRetryable as error:
            attempts.record_failure(
                failure_id=failure.id, number=failure.attempt, error=error, worker=client, retry=False
            )
        else:
            claimed.append(failure)
    with transaction.atomic():
        Failure.objects.filter(id__in=[failure.id for failure in claimed]).update(is_idempotent=is_idempotent)
        record_many(
            events.CLAIMED,
            [
                (("failure", failure.id), {"name": failure.name, "attempt": failure.attempt})
                for failure in claimed
            ],
        )
    return claimed


def extend(*, client: str, failure_id: uuid.UUID, number: int, lease: timedelta) -> datetime:
    """Extend the lease of attempt `number` to `lease` from now, and return the new end of the lease.

    Raises FailureNotFound, AttemptStateError.
    """
    failure = _find(client, failure_id)
    claimed_until = attempts.extend(failure_id=failure.id, number=number, lease=lease)
    if claimed_until is None:
        raise _state_error(_find(client, failure_id))
    return claimed_until


def acknowledge(*, client: str, failure_id: uuid.UUID, number: int) -> Failure:
    """Record that attempt `number` succeeded, and return the failure. A repeated call has no further effect.

    A success that arrives after the lease has expired is recorded, because the work is done. If another attempt is
    running by then, AttemptStateError is raised after the success was recorded.

    Raises FailureNotFound, AttemptStateError.
    """
    failure = _find(client, failure_id)
    attempts.record_success(failure_id=failure.id, number=number, worker=client)
    failure = _find(client, failure_id)
    is_done = _has_outcome(failure, number, AttemptOutcome.SUCCEEDED)
    if not is_done or failure.status == FailureStatus.RETRYING:
        raise _state_error(failure)
    return failure


def fail(*, client: str, failure_id: uuid.UUID, number: int, error: ErrorReport, retry: bool) -> Failure:
    """Record that attempt `number` failed, and return the failure. A repeated call has no further effect.

    `retry=False` makes the failure permanent. Raises FailureNotFound, AttemptStateError.
    """
    failure = _find(client, failure_id)
    attempts.record_failure(failure_id=failure.id, number=number, error=error, worker=client, retry=retry)
    failure = _find(client, failure_id)
    if failure.attempt != number or not _has_outcome(failure, number, AttemptOutcome.FAILED):
        raise _state_error(failure)
    return failure


def _find(client: str, failure_id: uuid.UUID) -> Failure:
    failure: Failure | None = Failure.objects.filter(
        id=failure_id, name__startswith=namespace(client)
    ).first()
    if failure is None:
        raise FailureNotFound(_("There is no failure {id}.").format(id=failure_id))
    return failure


def _has_outcome(failure: Failure, number: int, outcome: AttemptOutcome) -> bool:
    return Attempt.objects.filter(failure=failure, number=number, outcome=outcome).exists()


def _state_error(failure: Failure) -> AttemptStateError:
    detail = _(
        "This attempt has ended or was lost, so do not continue the work. The failure's status is {status}."
    )
    return AttemptStateError(
        detail.format(status=FailureStatus(failure.status).label),
        state=failure.status,
        fencing_token=failure.attempt,
    )

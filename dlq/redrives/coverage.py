"""The changes that a redrive makes to failures. A redrive is a job that retries or discards many failures.

For each failure, the redrive schedules a retry, discards the failure, or refuses to process the failure.

All changes are set-based and of bounded size, and are made in the transaction that stores the redrive's progress. So
each failure is covered once, even if a worker dies at any point.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, F, QuerySet, Value, When

from audit.registry import EventType
from audit.services import record, record_many
from dlq import events, policy
from dlq.kinds.registry import find_kind
from dlq.models import DECISION_STATUSES, OPEN_STATUSES, WAITING_STATUSES, Failure, FailureStatus
from dlq.payloads import find_payload_problems
from dlq.redrives.models import Redrive, RedriveResult, RedriveStatus, StopReason
from dlq.redrives.refusals import TRAITS, Traits, refusal, with_traits
from dlq.retries import ordering, schedule
from dlq.selection import FailureSelection
from tenants.context import current_tenant
from tenants.database.clock import database_now
from tenants.queue import due

#: Maximum number of failures that a redrive job processes in one database transaction.
BATCH_SIZE = 1000
#: Delay before the next automatic retry of a failure whose retry was withdrawn.
WITHDRAWN_DELAY = timedelta(minutes=1)


class Row(NamedTuple):
    """A failure that a redrive job schedules or discards. `status` is the status before this change."""

    id: UUID
    name: str
    status: str


def cover_batch(redrive: Redrive, *, limit: int) -> int:
    """Schedule, discard or refuse the next failures of the locked redrive job, at most `limit`.

    Return the number of failures that were scheduled or discarded. The caller saves the redrive.
    """
    size = min(limit, BATCH_SIZE)
    if not redrive.is_retry:
        # A transaction that closes failures locks the ordering keys of the failures before it locks the failures.
        keys = _uncovered(redrive)[:size].values_list("ordering_key", flat=True)
        for key in sorted(set(keys) - {""}):
            ordering.lock(key)
    rows = list(_lock(_uncovered(redrive))[:size].values_list("id", "ordering_key", *TRAITS))
    blocking = _blocking({key for _id, key, *_traits in rows if key}) if redrive.is_retry else {}
    invalid = _invalid(rows) if redrive.is_retry else set()
    accepted: list[Row] = []
    refused: dict[UUID, RedriveResult] = {}
    reasons: dict[Traits, RedriveResult | None] = {}
    for failure_id, key, *values in rows:
        traits = Traits(*values)
        older = blocking.get(key, set())
        if traits not in reasons:
            reasons[traits] = refusal(traits, redrive)
        reason = reasons[traits]
        if reason is None and failure_id in invalid:
            reason = RedriveResult.INVALID_PAYLOAD
        if reason is None and any(other < failure_id for other in older):
            reason = RedriveResult.ORDERING_KEY
        if reason is None:
            accepted.append(Row(failure_id, traits.name, traits.status))
            older.discard(failure_id)
        else:
            refused[failure_id] = reason
    _refuse(redrive, refused)
    if redrive.is_retry:
        _schedule(redrive, accepted)
    else:
        _discard(redrive, accepted)
        for key in sorted({key for _id, key, *_traits in rows if key}):
            ordering.wake_next(key)
    redrive.cursor = rows[-1][0] if len(rows) == size else redrive.last_id
    return len(accepted)


def schedule_withdrawn(redrive: Redrive, *, limit: int) -> int:
    """Schedule up to `limit` withdrawn retries of the redrive job again, and return their number.

    The caller must have locked the redrive job.
    """
    withdrawn = Failure.objects.filter(
        redrive=redrive.id,
        redrive_result=RedriveResult.WITHDRAWN,
        id__lte=redrive.cursor,
        status__in=WAITING_STATUSES,
    )
    size = min(limit, BATCH_SIZE)
    rows = [Row(*row) for row in _lock(withdrawn)[:size].values_list("id", "name", "status")]
    _schedule(redrive, rows)
    # The number `redrive.withdrawn` can be too high, because failures can be closed or retried during a pause.
    # If the query finds fewer than `size` failures, no withdrawn retries remain, so `redrive.withdrawn` becomes 0.
    redrive.withdrawn = max(redrive.withdrawn - size, 0) if len(rows) == size else 0
    return len(rows)


def withdraw(redrive: Redrive) -> None:
    """Withdraw the retries of a locked redrive job that have not started. The caller saves the redrive job.

    A failure that had the status `scheduled` before the redrive is scheduled again. Other failures wait for a person.
    """
    rows = [Row(*row) for row in _lock(waiting(redrive)).values_list("id", "name", "redrive_was")]
    if not rows:
        return
    next_retry_at = database_now() + WITHDRAWN_DELAY
    was_scheduled = When(redrive_was=FailureStatus.SCHEDULED, then=Value(next_retry_at))
    _failures(rows).update(
        status=F("redrive_was"),
        redrive_result=RedriveResult.WITHDRAWN,
        next_retry_at=Case(was_scheduled, default=None),
    )
    schedule.cancel_checks([row.id for row in rows if row.status != FailureStatus.SCHEDULED])
    schedule.schedule_checks([row.id for row in rows if row.status == FailureStatus.SCHEDULED], next_retry_at)
    record_many(events.RETRY_WITHDRAWN, [(("failure", row.id), {"name": row.name}) for row in rows])
    redrive.scheduled -= len(rows)
    redrive.withdrawn += len(rows)


def waiting(redrive: Redrive) -> QuerySet[Failure]:
    """Return the scheduled failures of the redrive job that no worker has claimed yet."""
    return Failure.objects.filter(
        redrive=redrive.id,
        redrive_result=RedriveResult.WAITING,
        status=FailureStatus.SCHEDULED,
        id__lte=redrive.cursor,
    )


def end(redrive: Redrive, status: RedriveStatus) -> None:
    """End the locked redrive job and save it."""
    redrive.status = status
    redrive.ended_at = database_now()
    redrive.save()
    cancel_step(redrive)


def stop(redrive: Redrive, reason: StopReason) -> None:
    """End the locked redrive job early, save it, and record the reason."""
    redrive.stop_reason = reason
    end(redrive, RedriveStatus.STOPPED)
    record(
        events.REDRIVE_STOPPED,
        subject=("redrive", redrive.id),
        reason=reason,
        succeeded=redrive.succeeded,
        failed=redrive.failed,
    )


def schedule_step(redrive: Redrive, *, at: datetime) -> None:
    """Add the next step of the redrive job to the queue of due items, in the caller's transaction."""
    if not current_tenant().is_platform:
        due.schedule(kind=policy.REDRIVE_DUE, items=[(redrive.id, at)])


def cancel_step(redrive: Redrive) -> None:
    if not current_tenant().is_platform:
        due.cancel(kind=policy.REDRIVE_DUE, ids=[redrive.id])


def _uncovered(redrive: Redrive) -> QuerySet[Failure]:
    """Return the failures that the redrive job has not reached, oldest first.

    Failures that were created after the start of the redrive are left out. Their ids are usually greater than
    `last_id`, because ids begin with the time of creation. The clocks of two servers can differ, so `created_at`, the
    time of the database, is compared as well.
    """
    selected = FailureSelection.from_json(redrive.selection).queryset()
    uncovered = selected.filter(
        status__in=OPEN_STATUSES,
        id__gt=redrive.cursor,
        id__lte=redrive.last_id,
        created_at__lte=redrive.started_at,
    )
    return with_traits(uncovered).order_by("id")


def _lock(failures: QuerySet[Failure]) -> QuerySet[Failure]:
    return failures.order_by("id").select_for_update(no_key=True)


def _failures(rows: list[Row]) -> QuerySet[Failure]:
    return Failure.objects.filter(id__in=[row.id for row in rows])


def _blocking(keys: set[str]) -> dict[str, set[UUID]]:
    """Return the failures that wait for a person and block later failures, as sets of ids by ordering key."""
    found: dict[str, set[UUID]] = {}
    if keys:
        waits = Failure.objects.filter(ordering_key__in=keys, status__in=DECISION_STATUSES)
        for key, failure_id in waits.values_list("ordering_key", "id"):
            found.setdefault(key, set()).add(failure_id)
    return found


def _invalid(rows: list[tuple[Any, ...]]) -> set[UUID]:
    """Return the ids of the failures whose payload does not match the schema of their kind of failure."""
    ids = [row[0] for row in rows if find_kind(row[2 + TRAITS.index("name")]).schema]
    return {failure.id for failure in Failure.objects.filter(id__in=ids) if find_payload_problems(failure)}


def _schedule(redrive: Redrive, rows: list[Row]) -> None:
    if not rows:
        return
    now = database_now()
    _failures(rows).update(
        status=FailureStatus.SCHEDULED,
        next_retry_at=now,
        expires_at=now + policy.MAX_AGE,
        regressed_at=None,
        overtaken_at=None,
        redrive=redrive.id,
        redrive_result=RedriveResult.WAITING,
        redrive_was=F("status"),
    )
    schedule.schedule_checks([row.id for row in rows], now, keep_initiator=True)
    _record(events.RETRY_REQUESTED, rows)
    redrive.scheduled += len(rows)


def _discard(redrive: Redrive, rows: list[Row]) -> None:
    if not rows:
        return
    _failures(rows).update(
        status=FailureStatus.DISCARDED,
        next_retry_at=None,
        closed_at=database_now(),
        discard_reason=redrive.discard_reason,
        redrive=redrive.id,
        redrive_result=RedriveResult.DISCARDED,
    )
    schedule.cancel_checks([row.id for row in rows])
    _record(events.DISCARDED, rows)
    redrive.discarded += len(rows)


def _record(event_type: EventType, rows: list[Row]) -> None:
    record_many(event_type, [(("failure", row.id), {"name": row.name, "was": row.status}) for row in rows])


def _refuse(redrive: Redrive, refused: dict[UUID, RedriveResult]) -> None:
    """Store on each failure why the redrive job does not process the failure, and count these failures by reason."""
    for reason in sorted(set(refused.values())):
        ids = [failure_id for failure_id, found in refused.items() if found == reason]
        Failure.objects.filter(id__in=ids).update(redrive=redrive.id, redrive_result=reason)
        redrive.refused[reason] = redrive.refused.get(reason, 0) + len(ids)

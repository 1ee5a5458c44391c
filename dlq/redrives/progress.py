"""The progress of redrive jobs, in steps. A step is one transaction, which also schedules the due item of the next
step.

If a worker dies, or the broker loses the Celery message of a step, the due queue (`tenants.queue.due`) sends the due
item again.
"""

import time
import uuid
from datetime import datetime, timedelta

from django.db import transaction

from audit.recording.origin import actor_from_json
from audit.services import record
from dlq import events
from dlq.models import AttemptOutcome
from dlq.redrives import coverage, results
from dlq.redrives.models import ACTIVE_STATUSES, Redrive, RedriveStatus, StopReason
from tenants.context import actor_context, changed_actor
from tenants.database.clock import database_now

#: Maximum number of unfinished retries of a redrive job: scheduled retries and running retries.
#: If the redrive job is stopped, the retries that no worker has begun are withdrawn.
MAX_PENDING = 2000
#: The failure rate can stop a redrive job only after this number of results.
MIN_RESULTS = 10
#: One task processes a redrive job for about this number of seconds. Then the due queue sends the next task.
SECONDS = 4.0
#: If a step of a redrive job runs late, the step schedules at most the retries that the job's rate allows in this time.
#: Without this limit, a redrive job that was interrupted for an hour would schedule an hour's retries in one step.
MAX_BURST = timedelta(seconds=10)
#: The shortest and the longest delay between two steps of a redrive job while the job only waits for retries.
#: The delay between two steps grows with the age of the redrive job.
MIN_DELAY, MAX_DELAY = timedelta(seconds=2), timedelta(seconds=60)
_NOW = timedelta(0)


def advance(*, redrive_id: uuid.UUID) -> bool:
    """Execute steps of a redrive job until the redrive has to wait. Return whether retries were scheduled.

    Do nothing if the redrive is paused or has ended, or if another worker is making a step.
    """
    deadline = time.monotonic() + SECONDS
    has_scheduled = False
    while True:
        with transaction.atomic():
            active = Redrive.objects.select_for_update(skip_locked=True).filter(status__in=ACTIVE_STATUSES)
            redrive = active.filter(id=redrive_id).first()
            if redrive is None:
                return has_scheduled
            scheduled = redrive.scheduled
            with actor_context(changed_actor(initiator=actor_from_json(redrive.actor).responsible)):
                delay = _step(redrive)
            has_scheduled = has_scheduled or redrive.scheduled > scheduled
        if delay != _NOW or time.monotonic() > deadline:
            return has_scheduled


def _step(redrive: Redrive) -> timedelta | None:
    """Process the next step of the locked redrive job, and save the redrive.

    Return the delay before the next step, or None after the last step.
    """
    now = database_now()
    outcomes = results.count_attempts(redrive)
    redrive.succeeded = outcomes[AttemptOutcome.SUCCEEDED]
    redrive.failed = outcomes[AttemptOutcome.FAILED] + outcomes[AttemptOutcome.LOST]
    pending = redrive.scheduled - redrive.succeeded - redrive.failed
    if reason := _stop_reason(redrive):
        coverage.withdraw(redrive)
        coverage.stop(redrive, reason)
        return None
    if pending and not outcomes[AttemptOutcome.RUNNING]:
        # A failure that was closed before an attempt began has no result, but is not pending any more.
        # The query therefore counts the failures that still wait for an attempt.
        pending = coverage.waiting(redrive).count()
    if redrive.status == RedriveStatus.CANARY and not pending and _remaining_capacity(redrive, pending) == 0:
        redrive.status = RedriveStatus.RUNNING
    capacity = _remaining_capacity(redrive, pending)
    limit = min(capacity, _allowed_by_rate(redrive, now))
    count = _cover(redrive, limit) if limit else 0
    has_new_retries = count and redrive.is_retry
    if not pending and not has_new_retries and not _has_more(redrive):
        _finish(redrive)
        return None
    delay = _delay(redrive, now, has_capacity=capacity > count and _has_more(redrive))
    redrive.save()
    coverage.schedule_step(redrive, at=now + delay)
    return delay


def _stop_reason(redrive: Redrive) -> StopReason | None:
    if redrive.status == RedriveStatus.CANARY and redrive.failed:
        return StopReason.CANARY
    count = redrive.succeeded + redrive.failed
    if redrive.max_failure_rate is None or count < MIN_RESULTS:
        return None
    return StopReason.FAILURE_RATE if redrive.failed * 100 > redrive.max_failure_rate * count else None


def _has_more(redrive: Redrive) -> bool:
    """Return whether the redrive job still has failures to process, or withdrawn retries to schedule again."""
    return bool(redrive.withdrawn) or not redrive.has_covered_all


def _remaining_capacity(redrive: Redrive, pending: int) -> int:
    """Return how many more failures the redrive job may process before it must wait for the results of pending retries.

    The configured rate is a separate limit, which `_allowed_by_rate` returns.
    """
    if not _has_more(redrive):
        return 0
    capacity = MAX_PENDING - pending
    if redrive.status == RedriveStatus.CANARY:
        capacity = min(capacity, redrive.canary - redrive.scheduled)
    return max(capacity, 0)


def _allowed_by_rate(redrive: Redrive, now: datetime) -> int:
    if redrive.rate is None:
        return coverage.BATCH_SIZE
    redrive.paced_until = max(redrive.paced_until, now - MAX_BURST)
    if redrive.paced_until > now:
        return 0
    return int((now - redrive.paced_until) / timedelta(minutes=1) * redrive.rate) + 1


def _cover(redrive: Redrive, limit: int) -> int:
    if redrive.withdrawn:
        count = coverage.schedule_withdrawn(redrive, limit=limit)
    else:
        count = coverage.cover_batch(redrive, limit=limit)
    if redrive.rate is not None:
        redrive.paced_until += timedelta(minutes=1) * count / redrive.rate
    return count


def _delay(redrive: Redrive, now: datetime, *, has_capacity: bool) -> timedelta:
    if not has_capacity:
        return min(max((now - redrive.started_at) / 20, MIN_DELAY), MAX_DELAY)
    return _NOW if redrive.rate is None else max(redrive.paced_until - now, MIN_DELAY)


def _finish(redrive: Redrive) -> None:
    coverage.end(redrive, RedriveStatus.FINISHED)
    record(
        events.REDRIVE_FINISHED,
        subject=("redrive", redrive.id),
        succeeded=redrive.succeeded,
        failed=redrive.failed,
        discarded=redrive.discarded,
        refused=redrive.refused_count,
    )

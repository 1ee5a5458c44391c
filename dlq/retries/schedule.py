"""The schedule of retries: the delays between retries, the leases of attempts, and the due items that start retries.

The due queue contains only items of hotels, so a periodic task starts the retries of failures of the platform.
"""

import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from dlq.kinds.registry import Kind
from dlq.policy import FAILURE_DUE
from tenants.context import current_tenant
from tenants.queue import due

#: Each delay varies randomly by this fraction, so that messages that fail together are not all retried together.
JITTER = 0.1
#: Delay before the next retry of a failure if the worker does not know its task or its retry handler.
UNKNOWN_TASK_DELAY = timedelta(minutes=5)

#: Delay between two checks of a failure that waits for an older failure with the same ordering key.
#: This delay can be long, because a waiting failure becomes due immediately when the older failure is closed.
BLOCKED_DELAY = timedelta(hours=1)

#: Lease of an attempt that runs a retry handler. The lease is longer than the time limit of tasks (240 seconds).
HANDLER_LEASE = timedelta(seconds=300)
#: Lease of an attempt that sends a Celery task. The lease is long, because the task may wait in Celery's queue.
#: If a worker dies, the broker delivers its task again. So the lease expires only if the task's message was lost.
QUEUE_LEASE = timedelta(hours=1)


def retry_delay(retries: int, *, delays: Sequence[float]) -> timedelta | None:
    """Return the delay before the next retry, or None if all retries have failed.

    `retries` is the number of failed retries. `delays` are the delays that the kind of failure declares, in seconds.
    """
    if retries >= len(delays):
        return None
    return timedelta(seconds=delays[retries] * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311


def schedule_check(failure_id: uuid.UUID, at: datetime, *, keep_initiator: bool = False) -> None:
    """Schedule the task `dlq.tasks.retry_due` for a failure of the current hotel, in the caller's transaction.

    `keep_initiator` has the same meaning as in `tenants.queue.due.schedule`. Do nothing for a failure of the platform:
    a periodic task finds these failures.
    """
    schedule_checks([failure_id], at, keep_initiator=keep_initiator)


def schedule_checks(failure_ids: Sequence[uuid.UUID], at: datetime, *, keep_initiator: bool = False) -> None:
    """Schedule checks of these failures at the time `at`, with one SQL statement. See `schedule_check`."""
    if not current_tenant().is_platform:
        items = [(failure_id, at) for failure_id in failure_ids]
        due.schedule(kind=FAILURE_DUE, items=items, keep_initiator=keep_initiator)


def cancel_check(failure_id: uuid.UUID) -> None:
    """Cancel the task that `schedule_check` scheduled for the failure, in the caller's transaction."""
    cancel_checks([failure_id])


def cancel_checks(failure_ids: Sequence[uuid.UUID]) -> None:
    """Cancel the scheduled checks of these failures with one SQL statement, in the caller's transaction."""
    if not current_tenant().is_platform:
        due.cancel(kind=FAILURE_DUE, ids=failure_ids)


def lease_of(kind: Kind) -> timedelta:
    """Return the duration of an attempt's lease. An attempt that runs longer counts as lost.

    The lease is longer than the time limit of the kind of failure.
    """
    if kind.handler is None:
        return QUEUE_LEASE
    return max(HANDLER_LEASE, timedelta(seconds=2 * (kind.time_limit or 0)))

"""The schedule of retries: delays, leases, and the due items that trigger them.

Retries of hotels' failures are scheduled in the due queue. The due queue has no items of the platform, so a periodic
task finds the platform's failures by their status.
"""

import random
import uuid
from datetime import datetime, timedelta

from tenants.context import current_tenant
from tenants.queue import due

KIND = "failure"

#: Seconds before the first, second and third retry. After the third retry the failure is permanent.
DELAYS = (60, 120, 240)
#: Each delay varies randomly by this fraction, so that messages that failed together are not retried together.
JITTER = 0.1
#: Time after which a failure is no longer retried automatically.
MAX_AGE = timedelta(days=7)

#: Lease of an attempt that runs in a retry handler. A Celery task may run for 240 seconds.
HANDLER_LEASE = timedelta(seconds=300)
#: Lease of an attempt that sends a task to Celery's queue, where the task may wait. If the task's worker dies, the
#: broker delivers the task again. This lease therefore only expires if the broker loses the task.
QUEUE_LEASE = timedelta(hours=1)


def retry_delay(retries: int) -> timedelta | None:
    """Return the delay before the next retry, or None after the last one. `retries` is the number of failed retries."""
    if retries >= len(DELAYS):
        return None
    return timedelta(seconds=DELAYS[retries] * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311


def schedule_check(failure_id: uuid.UUID, at: datetime) -> None:
    """Schedule the task `dlq.tasks.retry_due` for a failure, in the caller's transaction."""
    if not current_tenant().is_platform:
        due.schedule(kind=KIND, items=[(failure_id, at)])


def cancel_check(failure_id: uuid.UUID) -> None:
    """Cancel the task that `schedule_check` scheduled, in the caller's transaction."""
    if not current_tenant().is_platform:
        due.cancel(kind=KIND, ids=[failure_id])

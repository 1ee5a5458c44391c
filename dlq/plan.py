"""When a failure is next looked at: a row of the due queue. The platform's own are found by their status."""

import uuid
from datetime import datetime

from tenants.context import current_tenant
from tenants.queue import due

KIND = "failure"


def at(failure_id: uuid.UUID, moment: datetime) -> None:
    """Have `dlq.tasks.retry_due` look at it then; in the caller's transaction."""
    if current_tenant().id is not None:
        due.schedule(kind=KIND, items=[(failure_id, moment)])


def never(failure_id: uuid.UUID) -> None:
    if current_tenant().id is not None:
        due.cancel(kind=KIND, ids=[failure_id])

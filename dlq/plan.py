"""When a failure is next looked at, in the due queue. The platform's own are found by their status instead."""

import uuid
from datetime import datetime

from tenants import due
from tenants.context import current_scope

KIND = "failure"


def at(failure_id: uuid.UUID, moment: datetime) -> None:
    """Have `dlq.tasks.retry_due` look at it then; in the caller's transaction."""
    if current_scope().id is not None:
        due.schedule(kind=KIND, items=[(failure_id, moment)])


def done(failure_id: uuid.UUID) -> None:
    if current_scope().id is not None:
        due.done(kind=KIND, ids=[failure_id])

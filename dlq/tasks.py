"""The Celery tasks that retry failures."""

import uuid

from celery import shared_task

from dlq import selectors
from dlq.retries import attempts
from tenants.queue.celery_task import HotelTask

PLATFORM_BATCH_SIZE = 50


@shared_task(base=HotelTask, name="dlq.tasks.retry_due")
def retry_due(ids: list[str]) -> None:
    """Retry the failures with these ids, which belong to one hotel.

    The due queue sends this task. If the task ends early, the due queue sends it again for the remaining failures.
    """
    for failure_id in ids:
        attempts.retry_due(failure_id=uuid.UUID(failure_id))


@shared_task(base=HotelTask, name="dlq.tasks.retry_platform_due")
def retry_platform_due() -> None:
    """Retry due failures of the platform. Celery beat sends this task, because the due queue is for hotels only."""
    for failure_id in selectors.due_failures(limit=PLATFORM_BATCH_SIZE):
        attempts.retry_due(failure_id=failure_id)

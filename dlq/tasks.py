"""What the workers do with failures. The due queue says which and when."""

import uuid

from celery import shared_task

from dlq import attempts, selectors
from tenants.queue.celery_task import HotelTask

PLATFORM_BATCH = 50


@shared_task(base=HotelTask, name="dlq.tasks.retry_due")
def retry_due(ids: list[str]) -> None:
    """Retry the failures of one hotel that the due queue handed out; it hands out again what is not done."""
    for failure_id in ids:
        attempts.retry_due(failure_id=uuid.UUID(failure_id))


@shared_task(base=HotelTask, name="dlq.tasks.retry_platform_due")
def retry_platform_due() -> None:
    """Retry the platform's own failures: the due queue is for hotels, so these are looked up at each beat."""
    for failure_id in selectors.due(limit=PLATFORM_BATCH):
        attempts.retry_due(failure_id=failure_id)

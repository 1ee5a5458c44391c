"""A Celery task that only a later version of the application knows. A worker of that version imports this module."""

from celery import shared_task

from tenants.queue.celery_task import HotelTask
from tests.dlq.worker_tasks import note_run


@shared_task(base=HotelTask, name="tests.dlq.later")
def later(guest: str) -> None:
    note_run(f"later {guest}")

"""The Celery tasks that count the daily usage of hotels."""

from uuid import UUID

from celery import shared_task

from hotelagent.usage import USAGE_DUE, collector
from tenants.queue import due
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="hotelagent.usage.tasks.schedule_counts")
def schedule_counts() -> int:
    """Delete old rows, and schedule a count for each hotel whose yesterday is not counted. Return the number of counts.

    Celery beat sends this task every half hour.
    """
    collector.delete_old_usage()
    return collector.schedule_counts()


@shared_task(base=HotelTask, name="hotelagent.usage.tasks.count_usage")
def count_usage(ids: list[str]) -> None:
    """Count the usage of the hotel. `ids` contains only the id of the hotel."""
    collector.count_usage()
    due.complete(kind=USAGE_DUE, ids=[UUID(hotel) for hotel in ids])

"""The Celery tasks that find out whether the PMS has made a booking, and that import the changes of the PMS."""

from uuid import UUID

from celery import shared_task

from hotelagent.pms import connections, policy, synchronization
from hotelagent.pms.bookings import resolution
from hotelagent.pms.due_kinds import SYNC
from tenants.database.clock import database_now
from tenants.queue import due
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="pms.tasks.resolve_bookings")
def resolve_bookings(ids: list[str]) -> None:
    """Find out what the PMS has done with bookings whose outcome is not clear.

    After the last scheduled attempt, the task `resolve_booking` makes a final attempt whose failure is recorded.
    """
    for id_ in ids:
        if not resolution.resolve(UUID(id_)):
            resolve_booking.try_delay(id_)


@shared_task(base=HotelTask, name="pms.tasks.resolve_booking")
def resolve_booking(booking_id: str) -> None:
    """Make the final attempt to find the outcome of a booking. If it fails, the dead-letter queue stores it."""
    resolution.resolve_or_fail(UUID(booking_id))


@shared_task(base=HotelTask, name="pms.tasks.synchronize")
def synchronize(ids: list[str]) -> None:
    """Import the changes of the PMS. `ids` contains only the id of the hotel. The task schedules its next run.

    The next run is scheduled first, so an error or a killed worker does not end the synchronization.
    """
    if not connections.reports_changes():
        due.cancel(kind=SYNC, ids=[UUID(hotel) for hotel in ids])
        return
    next_run = database_now() + policy.SYNC_INTERVAL
    due.schedule(kind=SYNC, items=[(UUID(hotel), next_run) for hotel in ids])
    synchronization.synchronize()

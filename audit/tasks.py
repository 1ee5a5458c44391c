"""The Celery tasks of the audit trail. Celery beat sends them on the schedule in the platform admin."""

from uuid import UUID

from celery import shared_task

from audit.sealing import keys, run
from audit.verification import scheduled
from tenants.context import PLATFORM, current_hotel
from tenants.queue import due
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="audit.tasks.seal_all")
def seal_all() -> int:
    """Seal the events of the platform and of all hotels. Return the number of sealed events.

    Without a signing key, nothing is sealed. A system check reports this.
    """
    return run.seal_all().sealed if keys.is_configured() else 0


@shared_task(base=HotelTask, name="audit.tasks.verify")
def verify(ids: list[str]) -> None:
    """Verify the trail of a hotel. Runs once a day. `ids` is a list with the hotel's id."""
    if keys.is_configured():
        scheduled.verify(current_hotel())
    due.complete(kind=scheduled.VERIFICATION_DUE, ids=[UUID(hotel) for hotel in ids])


@shared_task(base=HotelTask, name="audit.tasks.verify_platform")
def verify_platform() -> None:
    """Verify the trail of the platform."""
    if keys.is_configured():
        scheduled.verify(PLATFORM)

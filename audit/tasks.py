"""The Celery tasks of the audit trail. Celery beat starts the tasks, and the schedule is in the platform admin."""

from uuid import UUID

from celery import shared_task

from audit.publishing import emails
from audit.publishing.run import publish_all as publish
from audit.retention import run as retention
from audit.sealing import keys, run
from audit.verification import scheduled
from tenants.context import PLATFORM, current_hotel
from tenants.queue import due
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="audit.tasks.seal_all")
def seal_all() -> int:
    """Seal the new events of the platform and of all hotels. Return the number of sealed events.

    Nothing is sealed without a signing key. A system check reports that the key is missing.
    """
    if not keys.is_configured():
        return 0
    result = run.seal_all()
    scheduled.verify_soon(result.new)
    return result.sealed


@shared_task(base=HotelTask, name="audit.tasks.publish_all")
def publish_all() -> int:
    """Publish the newest checkpoints. Return the number of published checkpoints.

    This is a separate task, so that an unreachable target does not delay sealing.
    """
    return publish()


@shared_task(base=HotelTask, name="audit.tasks.email_checkpoints")
def email_checkpoints() -> int:
    """Send the newest checkpoints to the auditors by e-mail, at most once a day. Return the number of sent e-mails.

    This is a separate task, so that a slow mail server delays neither sealing nor the other targets.
    """
    return emails.email_checkpoints()


@shared_task(base=HotelTask, name="audit.tasks.verify")
def verify(ids: list[str]) -> None:
    """Verify the audit trail of one hotel.

    This task runs once a day for each hotel. `ids` contains only the id of the hotel.
    """
    if keys.is_configured():
        scheduled.verify(current_hotel())
    due.complete(kind=scheduled.VERIFICATION_DUE, ids=[UUID(hotel) for hotel in ids])


@shared_task(base=HotelTask, name="audit.tasks.verify_platform")
def verify_platform() -> None:
    """Verify the audit trail of the platform."""
    if keys.is_configured():
        scheduled.verify(PLATFORM)


@shared_task(base=HotelTask, name="audit.tasks.delete_expired_events")
def delete_expired_events() -> int:
    """Delete the events of all trails whose retention period has ended. Return the number of deleted events.

    If the time of the run is used up, the task is sent again for the remaining events.
    """
    result = retention.delete_expired_events()
    if not result.is_complete:
        delete_expired_events.try_delay()
    return result.deleted

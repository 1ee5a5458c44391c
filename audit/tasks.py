"""The Celery tasks of the audit trail. Celery beat sends them on the schedule in the platform admin."""

from celery import shared_task

from audit.sealing import keys, run
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="audit.tasks.seal_all")
def seal_all() -> int:
    """Seal the events of the platform and of all hotels. Return the number of sealed events.

    Without a signing key, nothing is sealed. A system check reports this.
    """
    return run.seal_all().sealed if keys.is_configured() else 0

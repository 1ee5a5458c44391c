"""The Celery tasks of the platform. Celery beat sends the tasks at the times that the platform admin shows."""

import datetime
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from tenants.access import cleanup, invitations
from tenants.lifecycle import provisioning
from tenants.models import Hotel, HotelStatus, Redelivery
from tenants.queue import dispatch, due
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="tenants.tasks.tick")
def tick() -> int:
    """Send the items of the due queue whose time has come to their Celery tasks. Return the number of sent items."""
    return dispatch.dispatch_due_items()


@shared_task(base=HotelTask, name=dispatch.COMBINED_TASK, bind=True)
def handle_due(self: HotelTask, kind_name: str, batches: list[tuple[str, list[str]]]) -> None:
    """Process a Celery message that contains items of the due queue for several hotels."""
    dispatch.handle_combined_message(kind_name=kind_name, batches=batches, redelivered=self.is_redelivered)


@shared_task(base=HotelTask, name="tenants.tasks.schedule_daily")
def schedule_daily() -> int:
    """Add the daily tasks of each active hotel to the due queue. Return the number of new due items."""
    return due.schedule_daily()


@shared_task(base=HotelTask, name="tenants.tasks.provision_hotel")
def provision_hotel(hotel_id: str) -> None:
    """Provision a registered hotel. Does nothing for a hotel that is already active."""
    provisioning.provision_hotel(UUID(hotel_id))


@shared_task(base=HotelTask, name="tenants.tasks.provision_pending")
def provision_pending() -> int:
    """Enqueue the provisioning task again for hotels that are not provisioned a minute after their creation.

    Return the number of enqueued tasks.
    """
    pending = Hotel.objects.filter(
        status=HotelStatus.PROVISIONING, created_at__lt=timezone.now() - datetime.timedelta(minutes=1)
    )
    return sum(provision_hotel.try_delay(str(id_)) for id_ in pending.values_list("id", flat=True))


@shared_task(base=HotelTask, name="tenants.tasks.delete_expired_records")
def delete_expired_records(ids: list[str]) -> None:
    """Delete expired sessions and stored responses of a hotel. Runs once a day. `ids` is a list with the hotel's id."""
    cleanup.delete_expired_records()
    due.complete(kind="expired_records", ids=[UUID(hotel) for hotel in ids])


@shared_task(base=HotelTask, name="tenants.tasks.send_invitations")
def send_invitations(ids: list[str]) -> None:
    """Send the invitation of the hotel's first manager by e-mail. `ids` is a list with the hotel's id."""
    invitations.send_invitation()
    due.complete(kind=invitations.INVITATION_DUE, ids=[UUID(hotel) for hotel in ids])


@shared_task(base=HotelTask, name="tenants.tasks.delete_expired_platform_records")
def delete_expired_platform_records() -> int:
    """Delete expired sessions, stored responses and invitations of the platform. Return the number of deleted rows."""
    return cleanup.delete_expired_records() + invitations.delete_expired_invitations()


@shared_task(base=HotelTask, name="tenants.tasks.delete_old_redeliveries")
def delete_old_redeliveries() -> int:
    """Delete the delivery counts that were created more than a week ago. Return the number of deleted counts.

    Each count is the number of times that a Celery message was delivered (see the model `Redelivery`).
    """
    week_ago = timezone.now() - datetime.timedelta(days=7)
    return Redelivery.objects.filter(created_at__lt=week_ago).delete()[0]

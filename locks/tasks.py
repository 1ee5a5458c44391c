"""The Celery tasks that process due items for holds, the waiting list and webhooks."""

from uuid import UUID

from celery import shared_task

from locks import services
from locks.waiting_list.offers import process_entry
from locks.webhooks import publishing
from locks.webhooks.delivery import deliver, make_final_attempt
from tenants.queue import due
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="locks.tasks.expire_holds")
def expire_holds(ids: list[str]) -> None:
    """Mark holds as expired and record the events.

    The rooms are free from the time of expiry, even if this task runs later.
    """
    services.expire_holds(ids=[UUID(hold) for hold in ids])


@shared_task(base=HotelTask, name="locks.tasks.publish_expiring_holds")
def publish_expiring_holds(ids: list[str]) -> None:
    """Send a webhook event for holds that are about to expire."""
    publishing.publish_expiring_holds([UUID(hold) for hold in ids])


@shared_task(base=HotelTask, name="locks.tasks.process_waiting_list")
def process_waiting_list(ids: list[str]) -> None:
    """Offer free rooms to the waiting list entries with these ids.

    `ids` is in the order in which the entries were created.
    """
    for entry in ids:
        process_entry(UUID(entry))


@shared_task(base=HotelTask, name="locks.tasks.send_webhook_deliveries")
def send_webhook_deliveries(ids: list[str]) -> None:
    """Send the webhook deliveries that are due. For the final attempt of a delivery, enqueue a separate task."""
    for delivery_id in ids:
        if not deliver(UUID(delivery_id)):
            make_final_webhook_attempt.try_delay(delivery_id)


@shared_task(base=HotelTask, name="locks.tasks.make_final_webhook_attempt")
def make_final_webhook_attempt(delivery_id: str) -> None:
    """Make the final attempt of a webhook delivery. If the attempt fails, the dead-letter queue stores the failure."""
    make_final_attempt(UUID(delivery_id))


@shared_task(base=HotelTask, name="locks.tasks.delete_ended_records")
def delete_ended_records(ids: list[str]) -> None:
    """Delete ended holds, waiting list entries and webhook deliveries once a day.

    `ids` contains only the id of the hotel, because each hotel has one due item for this task.
    """
    services.delete_ended_records()
    due.complete(kind="ended", ids=[UUID(hotel) for hotel in ids])

"""What runs when something of a room's is due."""

from uuid import UUID

from celery import shared_task

from locks import services
from locks.waiting_list.offers import process_entry
from locks.webhooks.delivery import deliver, make_final_attempt
from locks.webhooks.publishing import publish_expiring_holds
from tenants.queue import due
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="locks.tasks.expire_holds")
def expire_holds(ids: list[str]) -> None:
    """Write down that these holds have lapsed, within seconds; rooms are free without it."""
    services.expire_holds(ids=[UUID(hold) for hold in ids])


@shared_task(base=HotelTask, name="locks.tasks.warn_expiring")
def warn_expiring(ids: list[str]) -> None:
    """Tell webhooks of holds that are about to end."""
    publish_expiring_holds([UUID(hold) for hold in ids])


@shared_task(base=HotelTask, name="locks.tasks.look_after_waiting")
def look_after_waiting(ids: list[str]) -> None:
    """See whether those who wait can have a room by now; their ids are in the order in which they joined."""
    for entry in ids:
        process_entry(UUID(entry))


@shared_task(base=HotelTask, name="locks.tasks.send_notices")
def send_notices(ids: list[str]) -> None:
    """Send what webhooks are to be told, one after the other."""
    for notice in ids:
        if not deliver(UUID(notice)):
            send_last.delay(notice)


@shared_task(base=HotelTask, name="locks.tasks.send_last")
def send_last(notice: str) -> None:
    """The last try of a notice: a task of its own, so that its failure is kept and can be sent again."""
    make_final_attempt(UUID(notice))


@shared_task(base=HotelTask, name="locks.tasks.forget_ended")
def forget_ended(ids: list[str]) -> None:
    """Forget what came to nothing, once a day; the item is the hotel itself."""
    services.delete_ended_records()
    due.complete(kind="ended", ids=[UUID(hotel) for hotel in ids])

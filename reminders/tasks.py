"""What workers do: each calls one service."""

import uuid

from celery import shared_task

from reminders.planning import replan
from reminders.sending import delivery, smtp
from tenants.queue import due
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="reminders.tasks.send_due")
def send_due(ids: list[str]) -> None:
    """The due queue's handler: at most one batch, in the hotel's context. See `delivery.send_due`."""
    delivery.send_due([uuid.UUID(id_) for id_ in ids], transport=smtp.kept())


@shared_task(base=HotelTask, name="reminders.tasks.replan_reservations")
def replan_reservations(ids: list[str]) -> None:
    """After another reservation of their guest has changed."""
    replan.replan([uuid.UUID(id_) for id_ in ids])


@shared_task(base=HotelTask, name="reminders.tasks.replan_all")
def replan_all(ids: list[str]) -> None:
    """After changes of the hotel's rules or time zone: the due queue's handler, once for all of them."""
    replan.replan_all()
    due.cancel(kind=replan.KIND, ids=[uuid.UUID(id_) for id_ in ids])

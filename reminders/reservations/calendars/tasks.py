"""What workers do with calendars' addresses: each calls one service."""

from uuid import UUID

from celery import shared_task

from reminders.reservations.calendars import services as calendar_services
from tenants.queue.celery_task import HotelTask


@shared_task(base=HotelTask, name="reminders.reservations.calendars.tasks.poll_calendars")
def poll_calendars(ids: list[str]) -> None:
    """Read the calendars that are due, one after the other."""
    for address in ids:
        if not calendar_services.poll(UUID(address)):
            read_calendar.delay(address)


@shared_task(base=HotelTask, name="reminders.reservations.calendars.tasks.read_calendar")
def read_calendar(address: str) -> None:
    """Read one once more: a task of its own, so that its failure is kept and can be tried again."""
    calendar_services.read_calendar(UUID(address))

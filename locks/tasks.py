"""What runs when a hold is due."""

from uuid import UUID

from celery import shared_task

from locks import services
from tenants.celery_task import HotelTask


@shared_task(base=HotelTask, name="locks.tasks.expire_holds")
def expire_holds(ids: list[str]) -> None:
    """Write down that these holds have lapsed, within seconds; rooms are free without it."""
    services.expire(ids=[UUID(hold) for hold in ids])

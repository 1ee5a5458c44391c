"""What happens elsewhere and moves reminders: a hotel's clock changes."""

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from reminders.planning.replan import replan_soon
from tenants.context import hotel_context
from tenants.models import Hotel, HotelStatus


@receiver(post_save, sender=Hotel)
def plan_again(
    instance: Hotel, *, created: bool, update_fields: Collection[str] | None, **_kwargs: Any
) -> None:
    """Reminders are planned by the hotel's clock; a suspended hotel's, once it is resumed.

    Planning again changes nothing where the clock is the same.
    """
    if created or instance.status not in {HotelStatus.ACTIVE, HotelStatus.SUSPENDED}:
        return
    if update_fields is None or "time_zone" in update_fields:
        with hotel_context(instance):
            replan_soon()

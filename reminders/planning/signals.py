"""Signal receivers that plan reminders again when a hotel's time zone may have changed."""

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from reminders.planning.replan import schedule_full_replan
from tenants.context import hotel_context
from tenants.models import Hotel, HotelStatus


@receiver(post_save, sender=Hotel)
def replan_after_hotel_change(
    instance: Hotel, *, created: bool, update_fields: Collection[str] | None, **_kwargs: Any
) -> None:
    """Request that all reminders of the saved hotel are planned again.

    If the time zone of the hotel is unchanged, planning changes nothing.
    """
    if created or instance.status not in {HotelStatus.ACTIVE, HotelStatus.SUSPENDED}:
        return
    if update_fields is None or "time_zone" in update_fields:
        with hotel_context(instance):
            schedule_full_replan()

"""Receivers of signals about hotels."""

from typing import Any

from django.dispatch import receiver

from dlq.retention.clean_up import end_lost_retries
from tenants.context import hotel_context
from tenants.models import Hotel
from tenants.signals import restored_hotel_migrated


@receiver(restored_hotel_migrated)
def end_discarded_retries(*, hotel: Hotel, **_kwargs: Any) -> None:
    """Mark the failures of a restored hotel whose due items were discarded as in doubt."""
    with hotel_context(hotel):
        end_lost_retries()

"""The signal receiver that prepares the reservations and reminders of a restored hotel."""

from typing import Any

from django.dispatch import receiver

from reminders.models import Reminder, Reservation
from tenants.changed_rows import number_changes_again
from tenants.context import hotel_context
from tenants.models import Hotel
from tenants.signals import restored_hotel_migrated


@receiver(restored_hotel_migrated)
def number_rows_again(*, hotel: Hotel, **_kwargs: Any) -> None:
    """Number the changes of the reservations and reminders of a restored hotel again."""
    with hotel_context(hotel):
        number_changes_again(Reservation)
        number_changes_again(Reminder)

"""The signal receiver that prepares the reservations of a restored hotel."""

from typing import Any

from django.db.models import F
from django.dispatch import receiver

from reminders.models import Reservation
from tenants.context import hotel_context
from tenants.models import Hotel
from tenants.signals import restored_hotel_migrated


@receiver(restored_hotel_migrated)
def number_changes_again(*, hotel: Hotel, **_kwargs: Any) -> None:
    """Let the trigger of the table number the changes of all reservations again.

    The backup has the transaction numbers of the server on which it was made, which may be in this server's future.
    """
    with hotel_context(hotel):
        Reservation.objects.update(changed_in=F("changed_in"))

"""The signal receiver that prepares the reservations of a restored hotel."""

from typing import Any

from django.db.models import F
from django.dispatch import receiver

from reminders.models import Reservation
from tenants.context import hotel_context
from tenants.models import Hotel
from tenants.signals import restored_hotel_migrated


@receiver(restored_hotel_migrated)
def renumber_changes(*, hotel: Hotel, **_kwargs: Any) -> None:
    """Replace the transaction number in `changed_in` of all reservations with the number of this transaction.

    The backup has the transaction numbers of the server on which it was made, which may be in this server's future.
    """
    with hotel_context(hotel):
        Reservation.objects.update(changed_in=F("changed_in"))

"""The signal receiver that prepares the holds, stays and closures of a restored hotel."""

from typing import Any

from django.dispatch import receiver

from locks.models import Allocation
from tenants.changed_rows import number_changes_again
from tenants.context import hotel_context
from tenants.models import Hotel
from tenants.signals import restored_hotel_migrated


@receiver(restored_hotel_migrated)
def number_allocations_again(*, hotel: Hotel, **_kwargs: Any) -> None:
    """Number the changes of the holds, stays and closures of a restored hotel again."""
    with hotel_context(hotel):
        number_changes_again(Allocation)

"""The reply address of a hotel, which the managers of the hotel change themselves."""

from __future__ import annotations

from django.db import transaction

from tenants.context import Tenant, platform_context
from tenants.errors import HotelNotFound
from tenants.services.hotels import get_locked_hotel


def change_reply_address(hotel: Tenant, *, email: str) -> bool:
    """Store the address to which guests' replies are sent, and return whether the address has changed.

    A manager of the hotel calls this function, so the caller records the change in the hotel's audit trail. Raises
    HotelNotFound, or ValidationError if the address is not valid.
    """
    if hotel.id is None:
        raise HotelNotFound
    with platform_context(), transaction.atomic():
        stored = get_locked_hotel(hotel.id)
        if stored.email == email:
            return False
        stored.email = email
        stored.clean_fields()
        stored.save(update_fields=["email"])
        return True

"""Queries about hotels, to be run in the platform's context."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from tenants.errors import HotelNotFound
from tenants.models import Hotel


def list_hotels(*, status: str | None = None) -> QuerySet[Hotel]:
    """Return all hotels, or only the hotels with the given status, ordered by slug and with their domains."""
    hotels = Hotel.objects.prefetch_related("domains").order_by("slug")
    return hotels.filter(status=status) if status else hotels


def get_hotel(*, slug: str | None = None, hotel_id: UUID | None = None) -> Hotel:
    """Return the hotel with this slug, or the hotel with this id if `slug` is None. Raises HotelNotFound."""
    lookup = {"slug": slug.lower()} if slug is not None else {"id": hotel_id}
    hotel = Hotel.objects.filter(**lookup).first()
    if hotel is None:
        raise HotelNotFound(_("There is no hotel {hotel}.").format(hotel=slug or hotel_id))
    return hotel

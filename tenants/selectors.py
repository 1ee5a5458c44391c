"""What can be read about hotels, in the platform's context."""

from uuid import UUID

from django.db.models import QuerySet

from tenants.errors import HotelNotFound
from tenants.models import Hotel


def hotels(*, status: str | None = None) -> QuerySet[Hotel]:
    found = Hotel.objects.prefetch_related("domains").order_by("slug")
    return found.filter(status=status) if status else found


def get_hotel(*, slug: str | None = None, hotel_id: UUID | None = None) -> Hotel:
    """Raises HotelNotFound."""
    found = Hotel.objects.filter(**({"slug": slug.lower()} if slug is not None else {"id": hotel_id})).first()
    if found is None:
        raise HotelNotFound(f"There is no hotel {slug or hotel_id}. See `manage.py list_hotels`.")
    return found

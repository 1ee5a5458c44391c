"""Suspension of a hotel. Its hosts respond with 503, its tasks do not run, and its data are kept."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from tenants.context import platform_context
from tenants.errors import HotelNotFound, HotelStateError
from tenants.models import Hotel, HotelStatus
from tenants.queue import due
from tenants.signals import hotel_resumed, hotel_suspended


def suspend_hotel(*, hotel_id: UUID) -> Hotel:
    """Suspend an active hotel in one transaction.

    At most one second after the commit, requests to the hotel receive the status 503.
    Raises HotelNotFound, HotelStateError.
    """
    with platform_context(), transaction.atomic():
        hotel = _change_status(hotel_id, HotelStatus.ACTIVE, HotelStatus.SUSPENDED)
        due.pause_hotel(hotel_id=hotel.id)
        hotel_suspended.send(Hotel, hotel=hotel, detail={})
        return hotel


def resume_hotel(*, hotel_id: UUID) -> Hotel:
    """Lift the suspension of a hotel in one transaction. The hotel's overdue items are sent to workers within seconds.

    Raises HotelNotFound, HotelStateError.
    """
    with platform_context(), transaction.atomic():
        hotel = _change_status(hotel_id, HotelStatus.SUSPENDED, HotelStatus.ACTIVE)
        due.resume_hotel(hotel_id=hotel.id)
        hotel_resumed.send(Hotel, hotel=hotel, detail={})
        return hotel


def _change_status(hotel_id: UUID, expected: HotelStatus, new: HotelStatus) -> Hotel:
    changed = Hotel.objects.filter(id=hotel_id, status=expected).update(status=new)
    hotel = Hotel.objects.filter(id=hotel_id).first()
    if hotel is None:
        raise HotelNotFound
    if changed != 1:
        detail = _(
            "{hotel} has the status {status}. For this operation, the status must be {expected}."
        ).format(hotel=hotel.slug, status=hotel.get_status_display(), expected=expected.label)
        raise HotelStateError(detail, hotel_status=hotel.status)
    return hotel

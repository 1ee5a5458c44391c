"""Functions that lock stored bookings, and that read values from them."""

from __future__ import annotations

import datetime
from uuid import UUID

from hotelagent.core import encryption
from hotelagent.pms import policy
from hotelagent.pms.errors import BookingNotFound
from hotelagent.pms.models import UNSETTLED, Booking
from hotelagent.pms.values import BookingRequest, Guest, Money
from locks.nights import Nights
from reminders.reservations.services import ReservationFields

_TOKEN_PURPOSE = b"pms hold token"


def lock(booking_id: UUID) -> Booking:
    """Lock the booking in the caller's transaction and return it. Raises BookingNotFound."""
    booking = Booking.objects.select_for_update(no_key=True).filter(id=booking_id).first()
    if booking is None:
        raise BookingNotFound
    return booking


def lock_unsettled(booking_id: UUID) -> Booking | None:
    """Lock the booking in the caller's transaction and return it, or return None if its outcome is stored already."""
    unsettled = Booking.objects.select_for_update(no_key=True).filter(id=booking_id, status__in=UNSETTLED)
    return unsettled.first()


def settles_at(booking: Booking) -> datetime.datetime:
    """Return the time at which the PMS has certainly processed the last request to make the booking."""
    return (booking.last_sent_at or booking.created_at) + policy.SETTLE_TIME


def request_of(booking: Booking) -> BookingRequest:
    """Return the request to the PMS for a booking whose outcome is not known yet."""
    return BookingRequest(
        reference=booking.reference,
        room_type=booking.room_type,
        nights=Nights(booking.check_in, booking.check_out),
        adults=booking.adults,
        children=booking.children,
        guest=Guest(**(booking.guest or {"name": ""})),
        price=Money(booking.price, booking.currency) if booking.price is not None else None,
        room_count=booking.room_count,
    )


def reservation_fields(booking: Booking) -> ReservationFields:
    """Return the fields of the reservation of a booking whose outcome is not stored yet."""
    guest = booking.guest or {}
    return ReservationFields(
        arrival=booking.check_in,
        departure=booking.check_out,
        guest_name=guest.get("name", ""),
        guest_email=guest.get("email", ""),
        guest_phone=guest.get("phone", ""),
        language=guest.get("language", ""),
        adults=booking.adults * booking.room_count,
        children=booking.children * booking.room_count,
        room_type=booking.room_type,
    )


def encrypt_token(token: str, *, booking_id: UUID) -> bytes:
    return encryption.encrypt(
        token.encode(), key=encryption.derive_key(_TOKEN_PURPOSE), associated_data=booking_id.bytes
    )


def hold_token(booking: Booking) -> str:
    """Return the token of the booking's hold."""
    return encryption.decrypt(
        bytes(booking.encrypted_hold_token or b""),
        key=encryption.derive_key(_TOKEN_PURPOSE),
        associated_data=booking.id.bytes,
    ).decode()

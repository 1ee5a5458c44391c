"""Bookings in the PMS: made once, and cancelled.

A booking has three steps, each committed before the next begins:

1. Our rooms are held and the booking is stored with the status `sending`.
2. The PMS is asked to make the booking. No transaction is open meanwhile.
3. The outcome is stored: the hold becomes a stay with a reservation, or the hold is released.

If the outcome of the second step is not clear, or if the process dies, the module `resolution` finds out what the PMS
has done. The rooms stay held until then.
"""

from __future__ import annotations

import dataclasses
import secrets
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from hotelagent.core.ids import uuid7
from hotelagent.pms import metrics, policy
from hotelagent.pms.bookings import outcomes, records
from hotelagent.pms.calls import requests
from hotelagent.pms.connections import adapter_of, current_connection
from hotelagent.pms.due_kinds import BOOKING
from hotelagent.pms.errors import BookingStateError, PmsError, PriceChanged
from hotelagent.pms.models import Booking, BookingStatus
from hotelagent.pms.search import current_offer
from hotelagent.pms.values import Guest, Money, StaySearch
from locks.services import acquire_hold_of_type
from reminders.reservations.services import check_reservation
from tenants.database.clock import database_now
from tenants.queue import due

#: Letters and digits that cannot be confused when a guest reads the reference aloud.
_REFERENCE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_REFERENCE_LENGTH = 10


def book(
    *,
    search: StaySearch,
    guest: Guest,
    price: Money | None,
    room_count: int = 1,
    booking_id: UUID | None = None,
    session: str = "",
) -> tuple[Booking, bool]:
    """Book rooms of the type `search.room_type`: all of them or none. Return the booking, and True if it is new.

    `booking_id` is an id that the caller has chosen. A second call with the same id returns the first booking, so a
    caller that has lost the result can repeat the call. `price` is the price of one room that the guest has accepted.
    If it is None, any price is accepted.

    The status of the returned booking is `booked`, or `unknown` if the PMS did not answer clearly. An unknown booking
    is resolved later, and its rooms stay held. If the PMS certainly did not make the booking, the rooms are released
    and the error is raised: a PmsError, PriceChanged, InvalidReservation or an error of `acquire_hold_of_type`. If the
    PMS has booked fewer rooms, the booking is cancelled there, and BookingRefused is raised. Call this function outside
    of a transaction.
    """
    booking_id = booking_id or uuid7()
    if (existing := Booking.objects.filter(id=booking_id).first()) is not None:
        return existing, False
    adapter = adapter_of(current_connection())
    if price is not None:
        offer = current_offer(search)
        if offer.price != price:
            raise PriceChanged(price=str(offer.price))
    try:
        booking = _start(booking_id, search, room_count=room_count, guest=guest, price=price, session=session)
    except IntegrityError:  # Another call with the same id has stored its booking in the meantime.
        return Booking.objects.get(id=booking_id), False
    request = records.request_of(booking)
    try:
        made = requests.write(adapter, "book", lambda: adapter.book(request))
    except PmsError as error:
        if error.is_definite:
            outcomes.refuse(booking.id, error)
            raise
        outcomes.mark_unknown(booking.id, error)
    else:
        outcomes.complete_or_cancel(booking, made)
    booking.refresh_from_db()
    return booking, True


def cancel(booking_id: UUID) -> Booking:
    """Cancel a booking in the PMS and its reservation, and return the booking.

    The status of the returned booking is `cancelled`, or `cancelling` if the PMS did not answer clearly. In that case
    the cancellation is repeated later. Raises BookingStateError, or the PmsError with which the PMS refused. Call this
    function outside of a transaction.
    """
    with transaction.atomic():
        booking = records.lock(booking_id)
        if booking.status == BookingStatus.CANCELLED:
            return booking
        if booking.status == BookingStatus.REFUSED:
            raise BookingStateError(
                _("The property management system has not made this booking."), booking_status=booking.status
            )
        booking.status = BookingStatus.CANCELLING
        booking.save(update_fields=["status"])
        due.schedule(kind=BOOKING, items=[(booking.id, database_now() + policy.BOOKING_LEASE)])
    outcomes.send_cancellation(booking)
    booking.refresh_from_db()
    return booking


def _start(
    booking_id: UUID, search: StaySearch, *, room_count: int, guest: Guest, price: Money | None, session: str
) -> Booking:
    """Hold the rooms, store the booking, and schedule a search for its outcome in case this process dies."""
    reference = "".join(secrets.choice(_REFERENCE_ALPHABET) for _letter in range(_REFERENCE_LENGTH))
    with transaction.atomic():
        hold = acquire_hold_of_type(
            room_type=search.room_type,
            nights=search.nights,
            count=room_count,
            guests=search.guests,
            session=session,
            reference=reference,
        )
        now = database_now()
        booking = Booking(
            id=booking_id,
            reference=reference,
            hold_id=hold.id,
            encrypted_hold_token=records.encrypt_token(hold.token or "", booking_id=booking_id),
            fencing_token=hold.rooms[0].fencing_token or 0,
            room_type=search.room_type,
            room_count=room_count,
            check_in=search.nights.check_in,
            check_out=search.nights.check_out,
            adults=search.adults,
            children=search.children,
            price=price.amount if price else None,
            currency=price.currency if price else "",
            guest=dataclasses.asdict(guest),
            sends=1,
            last_sent_at=now,
        )
        # A guest whose data can't be stored is refused now, because the booking in the PMS could not be completed.
        check_reservation(external_id=reference, **records.reservation_fields(booking))
        booking.save(force_insert=True)
        due.schedule(kind=BOOKING, items=[(booking_id, now + policy.BOOKING_LEASE)])
    metrics.BOOKINGS.labels(outcome="sent").inc()
    return booking

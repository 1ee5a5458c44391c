"""The outcomes of bookings and cancellations: each function stores one outcome in one transaction.

The functions lock the booking and do nothing if its outcome is already stored, so concurrent callers cannot store two
outcomes.
"""

from __future__ import annotations

import datetime
from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from django.utils.translation import gettext_noop as _

from audit.services import record
from hotelagent.core.messages import TranslatableMessage, message_to_json
from hotelagent.pms import conflicts, events, metrics, policy
from hotelagent.pms.adapters.interface import Adapter
from hotelagent.pms.bookings import records
from hotelagent.pms.calls import availability_cache, requests
from hotelagent.pms.connections import adapter_of, current_connection
from hotelagent.pms.due_kinds import BOOKING
from hotelagent.pms.errors import BookingRefused, PmsError
from hotelagent.pms.models import Booking, BookingStatus, ConflictKind
from hotelagent.pms.values import PmsBooking, PmsStatus
from locks.services import keep_hold, release_hold
from reminders.reservations.services import cancel_reservation, upsert_reservation
from reminders.reservations.stays import HoldReference
from tenants.database.clock import database_now
from tenants.errors import DomainError
from tenants.queue import due

log = structlog.get_logger(__name__)


def complete_or_cancel(booking: Booking, made: PmsBooking) -> None:
    """Store that the PMS has made the booking. If it has booked only some of the rooms, cancel them in the PMS instead.

    Raises BookingRefused after the cancellation. If the outcome of the cancellation is not clear, it is repeated later.
    Call this function outside of a transaction.
    """
    # A response without rooms says nothing about their number.
    if not 0 < len(made.rooms) < booking.room_count:
        complete(booking.id, made)
        return
    refusal = BookingRefused(
        TranslatableMessage(
            _("The property management system has booked only {booked} of {requested} rooms."),
            booked=len(made.rooms),
            requested=booking.room_count,
        )
    )
    with transaction.atomic():
        locked = records.lock_unsettled(booking.id)
        if locked is None:
            return
        locked.status = BookingStatus.CANCELLING
        locked.last_error = message_to_json(refusal.detail)
        locked.save(update_fields=["status", "last_error"])
        schedule_attempt(locked)
    send_cancellation(locked)
    raise refusal


def complete(booking_id: UUID, made: PmsBooking) -> None:
    """Store that the PMS has made the booking: the hold becomes the stays of a reservation with the PMS's number.

    If the hold is lost, the reservation is stored without rooms and a conflict is recorded for the front desk. If the
    client has cancelled the booking in the meantime, nothing is stored: the next attempt cancels it in the PMS.
    """
    try:
        with transaction.atomic():
            _complete(booking_id, made, with_hold=True)
    except DomainError as error:
        log.warning("pms.hold_lost", booking=str(booking_id), reason=error.code)
        with transaction.atomic():
            _complete(booking_id, made, with_hold=False)
            conflicts.add(
                ConflictKind.NO_FREE_ROOM,
                made,
                detail=TranslatableMessage(
                    _("The rooms were not held any more. Choose rooms for the reservation.")
                ),
            )
    availability_cache.invalidate()


def _complete(booking_id: UUID, made: PmsBooking, *, with_hold: bool) -> None:
    booking = records.lock_unsettled(booking_id)
    if booking is None or booking.status == BookingStatus.CANCELLING:
        return
    hold = HoldReference(
        booking.hold_id, token=records.hold_token(booking), fencing_token=booking.fencing_token
    )
    reservation, _is_new = upsert_reservation(
        external_id=made.id,
        hold=hold if with_hold else None,
        **records.reservation_fields(booking),
    )
    booking.status = BookingStatus.BOOKED
    booking.pms_id = made.id
    booking.reservation_id = reservation.id
    _settle(booking, fields=("pms_id", "reservation_id"))
    conflicts.store_rooms(made)
    record(
        events.BOOKED,
        subject=("reservation", reservation.id),
        reference=booking.reference,
        number=made.id,
        room_type=booking.room_type,
        check_in=booking.check_in,
        check_out=booking.check_out,
    )


def refuse(booking_id: UUID, error: PmsError) -> None:
    """Store that the PMS has certainly not made the booking, and release its rooms."""
    with transaction.atomic():
        booking = records.lock_unsettled(booking_id)
        if booking is None:
            return
        _release(booking)
        booking.status = BookingStatus.REFUSED
        booking.last_error = message_to_json(error.detail)
        _settle(booking, fields=("last_error",))
        record(
            events.BOOKING_REFUSED,
            subject=("hold", booking.hold_id),
            reference=booking.reference,
            reason=error.code,
        )


def mark_unknown(booking_id: UUID, error: PmsError) -> None:
    """Store that the outcome is not clear, keep the hold, and schedule the next attempt to find the outcome."""
    with transaction.atomic():
        booking = records.lock_unsettled(booking_id)
        if booking is None:
            return
        if booking.status == BookingStatus.SENDING:
            booking.status = BookingStatus.UNKNOWN
            record(
                events.BOOKING_UNCLEAR,
                subject=("hold", booking.hold_id),
                reference=booking.reference,
                reason=error.code,
            )
        booking.last_error = message_to_json(error.detail)
        booking.save(update_fields=["status", "last_error"])
        schedule_attempt(booking)


def schedule_attempt(booking: Booking, *, at: datetime.datetime | None = None) -> None:
    """Schedule the next attempt to find the outcome of the booking, and keep its hold until after the attempt.

    Runs in the caller's transaction. Without `at`, the delay depends on the number of attempts so far.
    """
    delays = policy.RESOLVE_DELAYS
    if at is None:
        at = database_now() + delays[min(booking.resolve_attempts, len(delays) - 1)]
    due.schedule(kind=BOOKING, items=[(booking.id, at)])
    keep_hold(booking.hold_id, until=at + policy.HOLD_MARGIN)


def wait_until_settled(booking_id: UUID) -> None:
    """Schedule the next attempt to find the outcome for the time from which no request can be in progress."""
    with transaction.atomic():
        booking = records.lock_unsettled(booking_id)
        if booking is not None:
            schedule_attempt(booking, at=records.settles_at(booking))


def find_in_pms(adapter: Adapter, booking: Booking) -> list[PmsBooking]:
    """Return the bookings in the PMS that have the reference of our booking. Call this function outside of a
    transaction.

    Raises a PmsError.
    """
    since = booking.created_at - policy.FIND_MARGIN
    return requests.read(adapter, "find", lambda: adapter.find(booking.reference, since=since))


def send_cancellation(booking: Booking) -> None:
    """Cancel all bookings in the PMS that have the reference of our booking, and store the outcome.

    If the outcome is not clear, or if the PMS may still be making the booking, the booking keeps the status
    `cancelling`, and a worker tries to cancel it again later. Raises the PmsError with which the PMS refused the
    cancellation. Call this function outside of a transaction.
    """
    adapter = adapter_of(current_connection())
    try:
        found = find_in_pms(adapter, booking)
        for made in found:
            if made.status is not PmsStatus.CANCELLED:
                requests.write(adapter, "cancel", partial(adapter.cancel, made))
    except PmsError as error:
        if booking.pms_id and not error.is_temporary:
            _store_refused_cancellation(booking.id, error)
            raise
        mark_unknown(booking.id, error)
        return
    if not found and not booking.pms_id and database_now() < records.settles_at(booking):
        wait_until_settled(booking.id)
    else:
        store_cancelled(booking.id)


def store_cancelled(booking_id: UUID) -> None:
    """Store that the booking is cancelled in the PMS. Cancel its reservation, or release its hold."""
    with transaction.atomic():
        booking = records.lock_unsettled(booking_id)
        if booking is None:
            return
        if booking.reservation_id is not None:
            cancel_reservation(reservation_id=booking.reservation_id)
        else:
            _release(booking)
        booking.status = BookingStatus.CANCELLED
        _settle(booking)
        conflicts.remove_rooms(booking.pms_id)
        record(
            events.BOOKING_CANCELLED,
            subject=("hold", booking.hold_id),
            reference=booking.reference,
            number=booking.pms_id,
        )
    availability_cache.invalidate()


def _store_refused_cancellation(booking_id: UUID, error: PmsError) -> None:
    with transaction.atomic():
        booking = records.lock_unsettled(booking_id)
        if booking is None or booking.status != BookingStatus.CANCELLING:
            return
        booking.status = BookingStatus.BOOKED
        booking.last_error = message_to_json(error.detail)
        _settle(booking, fields=("last_error",))
        record(
            events.BOOKING_CANCELLATION_REFUSED,
            subject=("hold", booking.hold_id),
            reference=booking.reference,
            reason=error.code,
        )


def _release(booking: Booking) -> None:
    """Release the hold of the booking. A hold that has already ended stays as it is."""
    try:
        with transaction.atomic():
            release_hold(booking.hold_id, token=records.hold_token(booking))
    except DomainError as error:
        log.warning("pms.hold_not_released", booking=str(booking.id), reason=error.code)


def _settle(booking: Booking, *, fields: tuple[str, ...] = ()) -> None:
    """Save a booking whose outcome is known. Its guest data and its hold token are no longer needed."""
    booking.guest = None
    booking.encrypted_hold_token = None
    booking.save(update_fields=["status", "guest", "encrypted_hold_token", *fields])
    due.cancel(kind=BOOKING, ids=[booking.id])
    metrics.BOOKINGS.labels(outcome=booking.status).inc()

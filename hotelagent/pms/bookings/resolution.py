"""Attempts to find out whether the PMS has made a booking, for bookings whose outcome is not clear.

An attempt searches the PMS for our reference. A booking is sent again only if the PMS does not have it after
`SETTLE_TIME`: no earlier request can be in progress then. If the PMS has a booking twice, all but the first are
cancelled.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_noop as _

from audit.services import record
from hotelagent.core.messages import TranslatableMessage
from hotelagent.pms import events, policy
from hotelagent.pms.adapters.interface import Adapter
from hotelagent.pms.bookings import outcomes, records
from hotelagent.pms.calls import requests
from hotelagent.pms.connections import adapter_of, current_connection
from hotelagent.pms.due_kinds import BOOKING
from hotelagent.pms.errors import BookingRefused, PmsError, PmsOutcomeUnknown
from hotelagent.pms.models import UNSETTLED, Booking, BookingStatus
from hotelagent.pms.values import PmsBooking, PmsStatus
from tenants.database.clock import database_now
from tenants.queue import due


def resolve(booking_id: UUID) -> bool:
    """Try to find out what the PMS has done with a booking, and store the outcome or the next attempt.

    Return False if this was the last scheduled attempt. Call this function outside of a transaction.
    """
    booking = _begin_attempt(booking_id)
    if booking is None:
        return True
    try:
        if booking.status == BookingStatus.CANCELLING:
            outcomes.send_cancellation(booking)
        else:
            _find_or_send(booking)
    except PmsError as error:
        outcomes.mark_unknown(booking_id, error)
    is_open = Booking.objects.filter(id=booking_id, status__in=UNSETTLED).exists()
    return not is_open or booking.resolve_attempts < len(policy.RESOLVE_DELAYS)


def resolve_or_fail(booking_id: UUID) -> None:
    """Try to find the outcome of a booking, and raise PmsOutcomeUnknown if the outcome is still not clear.

    The dead-letter queue stores the error as a failure that names what a person must check. The hold is kept for
    `policy.UNCLEAR_HOLD_TIME`, and no further attempt is scheduled. A retry of the failure calls this function again.
    """
    resolve(booking_id)
    with transaction.atomic():
        booking = records.lock_unsettled(booking_id)
        if booking is None:
            return
        outcomes.schedule_attempt(booking, at=database_now() + policy.UNCLEAR_HOLD_TIME)
        due.cancel(kind=BOOKING, ids=[booking_id])
    raise PmsOutcomeUnknown(
        TranslatableMessage(
            _(
                "It is not clear whether the property management system has the booking {reference} ({room_type}, "
                "{check_in} to {check_out}). Search for the reference there. Then retry this failure: the booking is "
                "completed if it is found, and sent again if it is not."
            ),
            reference=booking.reference,
            room_type=booking.room_type,
            check_in=str(booking.check_in),
            check_out=str(booking.check_out),
        )
    )


def _begin_attempt(booking_id: UUID) -> Booking | None:
    """Count an attempt to find the outcome of the booking. Return None if the outcome is already known."""
    with transaction.atomic():
        booking = records.lock_unsettled(booking_id)
        if booking is None:
            due.cancel(kind=BOOKING, ids=[booking_id])
            return None
        booking.resolve_attempts += 1
        booking.save(update_fields=["resolve_attempts"])
        outcomes.schedule_attempt(booking)
    return booking


def _find_or_send(booking: Booking) -> None:
    adapter = adapter_of(current_connection())
    if found := outcomes.find_in_pms(adapter, booking):
        _settle_found(adapter, booking, found)
        return
    if database_now() < records.settles_at(booking):
        outcomes.wait_until_settled(booking.id)
    elif booking.sends >= policy.MAX_BOOKING_ATTEMPTS:
        detail = _("The property management system has not stored the booking in {attempts} attempts.")
        outcomes.refuse(booking.id, BookingRefused(TranslatableMessage(detail, attempts=booking.sends)))
    elif _claim_send(booking):
        _send_again(adapter, booking)


def _settle_found(adapter: Adapter, booking: Booking, found: list[PmsBooking]) -> None:
    """Store the outcome of a booking that the PMS has. Cancel all but the first of several active bookings."""
    active = sorted(
        (made for made in found if made.status is not PmsStatus.CANCELLED),
        key=lambda made: (len(made.id), made.id),
    )
    if not active:
        outcomes.store_cancelled(booking.id)
        return
    for duplicate in active[1:]:
        requests.write(adapter, "cancel", partial(adapter.cancel, duplicate))
        record(
            events.DUPLICATE_CANCELLED,
            subject=("hold", booking.hold_id),
            reference=booking.reference,
            number=duplicate.id,
        )
    outcomes.complete_or_cancel(booking, active[0])


def _claim_send(booking: Booking) -> bool:
    """Claim the right to send the booking again. Return False if another process has sent it in the meantime."""
    claimed = Booking.objects.filter(
        id=booking.id, sends=booking.sends, status__in=[BookingStatus.SENDING, BookingStatus.UNKNOWN]
    ).update(sends=F("sends") + 1, last_sent_at=database_now())
    return claimed == 1


def _send_again(adapter: Adapter, booking: Booking) -> None:
    request = records.request_of(booking)
    try:
        made = requests.write(adapter, "book", lambda: adapter.book(request))
    except PmsError as error:
        if error.is_temporary:
            raise  # The next attempt searches for the booking first.
        outcomes.refuse(booking.id, error)
    else:
        outcomes.complete_or_cancel(booking, made)

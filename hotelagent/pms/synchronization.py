"""The synchronization: it brings the bookings that were made or changed in the PMS into our reservations."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.db import transaction
from django.utils.translation import gettext_noop as _

from audit.services import record
from hotelagent.core.messages import TranslatableMessage
from hotelagent.pms import conflicts, events, policy
from hotelagent.pms.adapters.interface import Capability
from hotelagent.pms.calls import availability_cache, requests
from hotelagent.pms.connections import adapter_of, current_connection
from hotelagent.pms.errors import PmsNotConfigured
from hotelagent.pms.models import UNSETTLED, Booking, BookingStatus, ConflictKind, Connection
from hotelagent.pms.values import PmsBooking, PmsStatus
from locks.services import acquire_hold_of_type
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.services import ReservationFields, merge_reservation
from reminders.reservations.stays import HoldReference, assign_hold
from tenants.database.clock import database_now
from tenants.errors import DomainError

_STATUSES = {
    PmsStatus.CHECKED_IN: ReservationStatus.CHECKED_IN,
    PmsStatus.CHECKED_OUT: ReservationStatus.CHECKED_OUT,
    PmsStatus.CANCELLED: ReservationStatus.CANCELLED,
}


@dataclass(slots=True)
class SyncReport:
    """The counts of a synchronization.

    `read` is the sum of `created`, `updated`, `unchanged`, `pending` and `rejected`. A pending booking is one that we
    are making at the moment. `conflicts` counts those of the stored bookings that staff must check.
    """

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    pending: int = 0
    rejected: int = 0
    conflicts: int = 0


def synchronize() -> SyncReport:
    """Import the changes of the PMS since the last synchronization and return the counts.

    Each booking is stored in a separate transaction, and a second call with the same changes changes nothing. Call this
    function outside of a transaction. Raises PmsNotConfigured if the system reports no changes, or a PmsError.
    """
    connection = current_connection()
    adapter = adapter_of(connection)
    if Capability.CHANGES not in adapter.capabilities:
        raise PmsNotConfigured(
            TranslatableMessage(_("This system reports no changes, so there is nothing to synchronize."))
        )
    started = database_now()
    since = connection.synchronized_until and connection.synchronized_until - policy.SYNC_OVERLAP
    changes = requests.read(adapter, "list_changes", lambda: list(adapter.list_changes(since)))
    report = SyncReport()
    for booking in changes:
        _import(booking, report)
    with transaction.atomic():
        Connection.objects.update(synchronized_until=started, last_report=asdict(report))
        if report.created or report.updated or report.conflicts:
            record(
                events.SYNCHRONIZED,
                created=report.created,
                updated=report.updated,
                unchanged=report.unchanged,
                conflicts=report.conflicts,
            )
    if report.created or report.updated:
        availability_cache.invalidate()
    return report


def _import(booking: PmsBooking, report: SyncReport) -> None:
    """Store one booking of the PMS in a transaction and count its outcome."""
    report.read += 1
    if (
        booking.reference
        and Booking.objects.filter(reference=booking.reference, status__in=UNSETTLED).exists()
    ):
        report.pending += 1
        return
    try:
        with transaction.atomic():
            outcome, has_conflict = _store(booking)
    except DomainError as error:
        report.rejected += 1
        report.conflicts += 1
        with transaction.atomic():
            conflicts.add(ConflictKind.INVALID, booking, detail=error.detail)
        return
    setattr(report, outcome, getattr(report, outcome) + 1)
    report.conflicts += has_conflict


def _store(booking: PmsBooking) -> tuple[str, bool]:
    """Store a booking of the PMS. Return the name of its count in the report, and whether staff must check it."""
    reservation, previous = merge_reservation(external_id=booking.id, **_fields_of(booking))
    if booking.status is PmsStatus.BOOKED and reservation.status == ReservationStatus.CANCELLED:
        reservation, _version = merge_reservation(external_id=booking.id, status=ReservationStatus.BOOKED)
    if booking.status is PmsStatus.CANCELLED:
        Booking.objects.filter(pms_id=booking.id, status=BookingStatus.BOOKED).update(
            status=BookingStatus.CANCELLED
        )
    has_conflict = conflicts.store_rooms(booking)
    has_conflict |= _place(reservation, booking)
    if previous is None:
        return "created", has_conflict
    return ("unchanged" if previous == reservation.version else "updated"), has_conflict


def _fields_of(booking: PmsBooking) -> ReservationFields:
    """Return the fields that the PMS reports. The others keep their stored values.

    The status "booked" is left out: a PMS that receives no check-ins reports this status while the guest is in house.
    """
    fields = ReservationFields(adults=booking.adults, children=booking.children)
    if booking.rooms:
        fields["arrival"] = min(room.nights.check_in for room in booking.rooms)
        fields["departure"] = max(room.nights.check_out for room in booking.rooms)
        if booking.rooms[0].room_type:
            fields["room_type"] = booking.rooms[0].room_type
    if booking.guest.name:
        fields["guest_name"] = booking.guest.name
    if booking.guest.email:
        fields["guest_email"] = booking.guest.email
    if booking.guest.phone:
        fields["guest_phone"] = booking.guest.phone
    if booking.guest.language:
        fields["language"] = booking.guest.language
    if booking.status is not PmsStatus.BOOKED:
        fields["status"] = _STATUSES[booking.status]
    return fields


def _place(reservation: Reservation, booking: PmsBooking) -> bool:
    """Choose free rooms for a reservation without rooms. Return True if staff must choose a room, with a new conflict.

    Only rooms with the type and the nights of the first room are chosen: all of them or none.
    """
    if reservation.stay_id is not None or booking.status not in {PmsStatus.BOOKED, PmsStatus.CHECKED_IN}:
        return False
    room = booking.rooms[0]
    alike = [
        other for other in booking.rooms if (other.room_type, other.nights) == (room.room_type, room.nights)
    ]
    if not room.room_type:
        return conflicts.add(
            ConflictKind.NOT_MAPPED,
            booking,
            detail=TranslatableMessage(
                _(
                    "The booking has no room here, because its room type is not assigned. Assign the room type on the "
                    'page "Connection to a PMS", and choose a room for the reservation.'
                )
            ),
        )
    try:
        with transaction.atomic():
            hold = acquire_hold_of_type(
                room_type=room.room_type, nights=room.nights, count=len(alike), guests=1, reference=booking.id
            )
            assign_hold(
                reservation,
                HoldReference(hold.id, token=hold.token, fencing_token=hold.rooms[0].fencing_token or 0),
            )
    except DomainError as error:
        return conflicts.add(ConflictKind.NO_FREE_ROOM, booking, detail=error.detail)
    if len(alike) < len(booking.rooms):
        return conflicts.add(
            ConflictKind.MIXED_ROOMS,
            booking,
            detail=TranslatableMessage(
                _("{chosen} of {booked} rooms were chosen. Choose the others for the reservation."),
                chosen=len(alike),
                booked=len(booking.rooms),
            ),
        )
    return False

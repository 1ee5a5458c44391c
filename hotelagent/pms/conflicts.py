"""Conflicts between the PMS and our rooms, which the front desk must settle."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_noop as _

from audit.services import record
from hotelagent.core.messages import TranslatableMessage, message_to_json
from hotelagent.pms import events
from hotelagent.pms.models import Conflict, ConflictKind, OccupiedRoom
from hotelagent.pms.values import PmsBooking, PmsStatus
from tenants.database.clock import database_now


def add(kind: ConflictKind, booking: PmsBooking, *, detail: str) -> bool:
    """Record a conflict of a booking of the PMS. Return False if the same conflict is already open.

    Runs in the caller's transaction.
    """
    nights = booking.rooms[0].nights if booking.rooms else None
    _conflict, is_new = Conflict.objects.get_or_create(
        kind=kind,
        pms_id=booking.id,
        settled_at=None,
        defaults={
            "detail": message_to_json(detail),
            "check_in": nights.check_in if nights else None,
            "check_out": nights.check_out if nights else None,
        },
    )
    if is_new:
        record(events.CONFLICT_FOUND, number=booking.id, kind=kind)
    return is_new


def settle(conflict_id: UUID) -> None:
    """Mark a conflict as settled, because a person has dealt with it. A second call changes nothing."""
    with transaction.atomic():
        conflict = Conflict.objects.select_for_update().filter(id=conflict_id, settled_at=None).first()
        if conflict is not None:
            conflict.settled_at = database_now()
            conflict.save(update_fields=["settled_at"])
            record(events.CONFLICT_SETTLED, number=conflict.pms_id, kind=conflict.kind)


def store_rooms(booking: PmsBooking) -> bool:
    """Store which rooms of the PMS a booking occupies. Return True if the PMS has sold one of them twice.

    The conflict is recorded. Runs in the caller's transaction.
    """
    remove_rooms(booking.id)
    if booking.status is PmsStatus.CANCELLED:
        return False
    is_overbooked = False
    for room in booking.rooms:
        if not room.room:
            continue
        others = OccupiedRoom.objects.filter(
            pms_room=room.room, check_in__lt=room.nights.check_out, check_out__gt=room.nights.check_in
        )
        if other := others.exclude(pms_id=booking.id).first():
            is_overbooked = True
            add(
                ConflictKind.OVERBOOKED,
                booking,
                detail=TranslatableMessage(
                    _(
                        "The bookings {first} and {second} have the same room in the property management system. "
                        "Move one of them to another room there."
                    ),
                    first=other.pms_id,
                    second=booking.id,
                ),
            )
        OccupiedRoom.objects.create(
            pms_id=booking.id,
            pms_room=room.room,
            check_in=room.nights.check_in,
            check_out=room.nights.check_out,
        )
    return is_overbooked


def remove_rooms(pms_id: str) -> None:
    """Delete the stored rooms of a booking of the PMS. Runs in the caller's transaction."""
    if pms_id:
        OccupiedRoom.objects.filter(pms_id=pms_id).delete()

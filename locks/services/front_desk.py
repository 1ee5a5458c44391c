"""Services with which the front desk changes holds, stays and closures, regardless of their owner."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from audit.registry import EventType
from locks import events, metrics, selectors
from locks.allocations.bulk import NewStay, add_stays
from locks.allocations.changes import (
    describe,
    event_fields,
    expire_overlapping,
    lock_rooms,
    publish,
)
from locks.allocations.closures import close
from locks.database import call, postgres_array
from locks.errors import (
    AllocationStateError,
    HoldExpired,
    HoldNotFound,
    InvalidRoomSelection,
    RoomContention,
)
from locks.holds import AllocatedRoom, Hold
from locks.models import OCCUPYING, Allocation, AllocationStatus, Room
from locks.nights import Nights
from locks.owner import holder
from locks.services import bookings
from locks.services.holds import lock_stays
from locks.services.refusals import find_clash


def force_release_hold(hold_id: UUID, *, reason: str) -> Hold:
    """Release a hold, or all holds of a group, regardless of the owner.

    Raises HoldNotFound. Raises AllocationStateError if the hold has ended or was confirmed.
    """
    released = _end(
        hold_id,
        status=AllocationStatus.HELD,
        new_status=AllocationStatus.RELEASED,
        event=events.HOLD_FORCED,
        reason=reason,
    )
    if not released:
        if not selectors.allocations_of(hold_id).exists():
            raise HoldNotFound(_("There is no hold with the id {id}.").format(id=hold_id))
        raise AllocationStateError(_("The hold has already ended or has been confirmed."))
    metrics.ENDED.labels(how="forced").inc(len(released))
    return Hold.of(released)


def cancel_stay(allocation_id: UUID) -> AllocatedRoom:
    """Cancel a stay, so that its room is free again. Raises AllocationStateError if this is not a confirmed stay."""
    cancelled = _end(
        allocation_id,
        status=AllocationStatus.CONFIRMED,
        new_status=AllocationStatus.CANCELLED,
        event=events.STAY_CANCELLED,
    )
    if not cancelled:
        raise AllocationStateError
    return cancelled[0]


def cancel_unbooked_stay(hold_id: UUID) -> Hold:
    """Cancel a stay, or the stays of a group, and return them. It is not an error if they are already cancelled.

    Raises HoldNotFound. Raises AllocationStateError if these are not stays, and StayBelongsToReservation if a
    reservation has one of the stays: then only a cancellation of the reservation can cancel the stay.
    """
    with transaction.atomic():
        hold = selectors.get_hold(hold_id)
        if stays := lock_stays([room.id for room in hold.rooms]):
            bookings.check_unbooked([stay.id for stay in stays])
            return Hold.of([cancel_stay(stay.id) for stay in stays])
        hold = selectors.get_hold(hold_id)
    if any(room.status is not AllocationStatus.CANCELLED for room in hold.rooms):
        raise AllocationStateError
    return hold


def confirm_rooms(
    *, rooms: Sequence[int], nights: Nights, booking_id: UUID, reference: str
) -> list[AllocatedRoom]:
    """Confirm stays in the rooms with these ids for a booking: in all of them or in none. Return the stays.

    Unlike a hold, a stay can begin in the past, for example for a guest who arrives after midnight. The `group_id` of
    several stays is `booking_id`. Raises InvalidRoomSelection, RoomNotFound or RoomUnavailable.
    """
    ids = sorted(set(rooms))
    if len(ids) != len(rooms):
        raise InvalidRoomSelection(_("Each room may be listed only once."))
    with transaction.atomic():
        lock_rooms(ids)
        _check_free(ids, nights)
        stays = [
            Allocation(
                room_id=room,
                nights=(nights.check_in, nights.check_out),
                status=AllocationStatus.CONFIRMED,
                group_id=booking_id if len(ids) > 1 else None,
                holder=holder(),
                reference=reference,
            )
            for room in ids
        ]
        Allocation.objects.bulk_create(stays)
        return publish(events.HOLD_CONFIRMED, [stay.id for stay in stays])


def close_room(*, room: int, nights: Nights, reason: str) -> AllocatedRoom:
    """Close a room for these nights. Raises RoomNotFound or RoomUnavailable."""
    with transaction.atomic():
        lock_rooms([room])
        _check_free([room], nights)
        [closure] = close(room, [(nights.check_in, nights.check_out)], reference="", reason=reason)
    return closure


def reopen_room(allocation_id: UUID) -> AllocatedRoom:
    """Reopen a room by ending its closure. Raises AllocationStateError if the closure has already ended."""
    reopened = _end(
        allocation_id,
        status=AllocationStatus.CLOSED,
        new_status=AllocationStatus.CANCELLED,
        event=events.ROOM_REOPENED,
    )
    if not reopened:
        raise AllocationStateError
    return reopened[0]


def move_allocation(allocation_id: UUID, *, room: int, nights: Nights) -> AllocatedRoom:
    """Move a hold, a stay or a closure to another room, other nights or both, in one transaction.

    The moved allocation keeps its id, expiry and token. A hold gets the next fencing token of the room, so its owner
    must read the new dates before confirming the hold. Raises HoldNotFound, AllocationStateError, HoldExpired,
    RoomNotFound or RoomUnavailable.
    """
    with transaction.atomic():
        lock_rooms([room])
        _check_movable(allocation_id)
        _check_free([room], nights, excluded=allocation_id)
        [before] = describe([allocation_id])
        changes: dict[str, Any] = {"room_id": room, "nights": (nights.check_in, nights.check_out)}
        if before["status"] == AllocationStatus.HELD:
            changes["fencing_token"] = _next_fencing_token(room, before["fencing_token"])
        Allocation.objects.filter(id=allocation_id).update(**changes)
        [moved] = publish(events.STAY_MOVED, [allocation_id], moved_from=[before])
    return moved


def move_at_front_desk(allocation_id: UUID, *, room: int, nights: Nights) -> Hold:
    """Move a hold, a stay or a closure as `move_allocation` does. A stay moves together with its reservation.

    Raises the errors of `move_allocation` and of the services that change reservations. Raises
    StayBelongsToReservation if the stay was given to a reservation during the move.
    """
    with transaction.atomic():
        if not bookings.move_with_booking(allocation_id, room=room, nights=nights):
            move_allocation(allocation_id, room=room, nights=nights)
            bookings.check_unbooked([allocation_id])
        return selectors.get_hold(allocation_id)


def move_remaining_nights(
    allocation_id: UUID, *, room: int, first: date, check_out: date | None = None
) -> AllocatedRoom:
    """Move the nights of a stay from `first` on to another room, and return the moved stay.

    `check_out` is the new check-out date, or None if the date does not change. The moved stay keeps its id. The earlier
    nights become a separate stay in the old room, with the same reference. If the stay begins on `first` or later, all
    its nights are moved. Raises AllocationStateError if this is not a confirmed stay. Raises InvalidDateRange if all
    nights are before `first`. Raises the errors of `move_allocation`.
    """
    with transaction.atomic():
        stay = Allocation.objects.filter(id=allocation_id, status=AllocationStatus.CONFIRMED).first()
        if stay is None:
            raise AllocationStateError
        lock_rooms({room, stay.room_id})
        old_room, check_in = stay.room_id, stay.check_in
        stay.refresh_from_db(fields=["room", "nights"])
        if (stay.room_id, stay.check_in) != (old_room, check_in):
            raise RoomContention
        nights = Nights(max(check_in, first), check_out or stay.check_out)
        moved = move_allocation(allocation_id, room=room, nights=nights)
        if check_in < first:
            add_stays([NewStay(old_room, check_in, first, reference=stay.reference)])
    return moved


def _end(
    allocation_id: UUID,
    *,
    status: AllocationStatus,
    new_status: AllocationStatus,
    event: EventType,
    reason: str | None = None,
) -> list[AllocatedRoom]:
    """End the allocation with this id, or the allocations of the group with this id. Return the ended allocations.

    Allocations whose status is not `status` are neither changed nor returned.
    """
    ended = call(
        "locks_end",
        {
            "allocation": str(allocation_id),
            "status": status,
            "new_status": new_status,
            "event": event.name,
            "event_fields": postgres_array(event_fields(event)),
            "reason": reason,
        },
    )
    return [AllocatedRoom.from_json(allocation) for allocation in ended]


def _check_movable(allocation_id: UUID) -> None:
    """Lock an allocation, and check that it still occupies its room. An allocation that has ended can't be moved.

    Raises HoldNotFound, AllocationStateError or HoldExpired.
    """
    allocation = (
        selectors.allocations().select_for_update(no_key=True, of=("self",)).filter(id=allocation_id).first()
    )
    if allocation is None:
        raise HoldNotFound(_("There is no hold with the id {id}.").format(id=allocation_id))
    if allocation.status not in OCCUPYING:
        raise AllocationStateError
    if AllocatedRoom.from_allocation(allocation).status is AllocationStatus.EXPIRED:
        raise HoldExpired


def _check_free(rooms: Sequence[int], nights: Nights, *, excluded: UUID | None = None) -> None:
    """End the expired holds of the rooms on these nights, and raise RoomUnavailable if a room is still occupied.

    The caller must have locked the rooms. The allocation `excluded` is ignored.
    """
    expire_overlapping(rooms, check_in=nights.check_in, check_out=nights.check_out)
    if clash := find_clash(rooms, nights=nights, excluded=excluded):
        raise clash


def _next_fencing_token(room: int, current: int) -> int:
    """Set the fencing token of a room to a value greater than its old value and `current`. Return the new value."""
    Room.objects.filter(id=room).update(fencing_token=Greatest(F("fencing_token"), Value(current)) + 1)
    return Room.objects.values_list("fencing_token", flat=True).get(id=room)

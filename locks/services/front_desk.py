"""Services with which the front desk changes holds, stays and closures, regardless of their owner."""

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
from locks.errors import AllocationStateError, HoldExpired, HoldNotFound, RoomContention
from locks.holds import AllocatedRoom, Hold
from locks.models import OCCUPYING, Allocation, AllocationStatus, Room
from locks.nights import Nights
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


def close_room(*, room: int, nights: Nights, reason: str) -> AllocatedRoom:
    """Close a room for these nights. Raises RoomNotFound or RoomUnavailable."""
    with transaction.atomic():
        lock_rooms([room])
        _check_free(room, nights)
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
        _check_free(room, nights, excluded=allocation_id)
        [before] = describe([allocation_id])
        changes: dict[str, Any] = {"room_id": room, "nights": (nights.check_in, nights.check_out)}
        if before["status"] == AllocationStatus.HELD:
            changes["fencing_token"] = _next_fencing_token(room, before["fencing_token"])
        Allocation.objects.filter(id=allocation_id).update(**changes)
        [moved] = publish(events.STAY_MOVED, [allocation_id], moved_from=[before])
    return moved


def move_remaining_nights(allocation_id: UUID, *, room: int, first: date) -> AllocatedRoom:
    """Move the nights of a stay from `first` on to another room, and return the moved stay.

    The moved stay keeps its id. The earlier nights become a separate stay in the old room, with the same reference. If
    the stay begins on `first` or later, all its nights are moved. Raises AllocationStateError if this is not a
    confirmed stay. Raises InvalidDateRange if all nights are before `first`. Raises the errors of `move_allocation`.
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
        nights = Nights(max(check_in, first), stay.check_out)
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


def _check_free(room: int, nights: Nights, *, excluded: UUID | None = None) -> None:
    """End the expired holds of the room on these nights, and raise RoomUnavailable if the room is still occupied.

    The caller must have locked the room. The allocation `excluded` is ignored.
    """
    expire_overlapping([room], check_in=nights.check_in, check_out=nights.check_out)
    if clash := find_clash([room], nights=nights, excluded=excluded):
        raise clash


def _next_fencing_token(room: int, current: int) -> int:
    """Set the fencing token of a room to a value greater than its old value and `current`. Return the new value."""
    Room.objects.filter(id=room).update(fencing_token=Greatest(F("fencing_token"), Value(current)) + 1)
    return Room.objects.values_list("fencing_token", flat=True).get(id=room)

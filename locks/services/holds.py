"""Operations for the owner of a hold: the client that has its token, or the member of staff who acquired it.

Each operation is one round trip to a database function. If the function refuses the operation, a second query finds the
reason.
"""

import datetime
from collections.abc import Collection, Mapping
from typing import Any, LiteralString
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from audit.registry import EventType
from locks import events, metrics, policy, selectors
from locks.allocations.changes import event_fields
from locks.database import call, postgres_array
from locks.errors import (
    HoldExpired,
    HoldNotFound,
    HoldStateError,
    InvalidHoldToken,
    StaleFencingToken,
    TooManyExtensions,
)
from locks.holds import AllocatedRoom, Hold
from locks.models import Allocation, AllocationStatus
from locks.owner import ownership, staff_holder
from locks.services import bookings
from tenants.access.tokens import digest
from tenants.errors import DomainError
from tenants.queue import due


def extend_hold(hold_id: UUID, *, token: str | None) -> Hold:
    """Extend a hold by `policy.EXTENSION_SECONDS`, up to its maximum lifetime.

    `hold_id` is the id of a single hold or of a group. All holds of a group are extended, or none. Raises
    HoldNotFound, InvalidHoldToken, HoldExpired, HoldStateError or TooManyExtensions.
    """
    extended = _call("locks_extend", hold_id, token, {"seconds": policy.EXTENSION_SECONDS})
    if not extended:
        raise _state_error(_read(hold_id, token)) or TooManyExtensions()
    metrics.EXTENDED.inc(len(extended))
    return Hold.from_json(extended)


def keep_hold(hold_id: UUID, *, until: datetime.datetime) -> None:
    """Let a hold, or the holds of a group, live at least until this time, even beyond the maximum lifetime.

    Services call this function to keep the rooms while they wait for another system. The service then releases or
    confirms the hold. A hold that has ended stays as it is. Runs in the caller's transaction.
    """
    held = selectors.allocations_of(hold_id).filter(status=AllocationStatus.HELD)
    kept = held.filter(expires_at__lt=until).update(
        expires_at=until, max_expires_at=Greatest(F("max_expires_at"), Value(until))
    )
    if kept:
        due.schedule(kind="hold", items=[(id_, until) for id_ in held.values_list("id", flat=True)])


def release_hold(hold_id: UUID, *, token: str | None) -> Hold:
    """Release a hold or the holds of a group. It is not an error if the hold was already released or has expired.

    Raises HoldNotFound, InvalidHoldToken or HoldStateError.
    """
    released = _end(
        hold_id,
        token,
        status=AllocationStatus.HELD,
        new_status=AllocationStatus.RELEASED,
        event=events.HOLD_RELEASED,
    )
    if not released:
        rooms = _read(hold_id, token)
        if any(room.status is AllocationStatus.CONFIRMED for room in rooms):
            raise _already_confirmed()
        return Hold.of(rooms)
    metrics.ENDED.labels(how="released").inc(len(released))
    return Hold.from_json(released)


def confirm_hold(hold_id: UUID, *, token: str | None, fencing_token: int, reference: str = "") -> Hold:
    """Turn a hold, or the holds of a group, into stays. The rooms are never free in between.

    `fencing_token` is the token that was returned with the hold. A group is confirmed as a whole or not at all. A call
    that is repeated with the same tokens returns the same result. Raises HoldNotFound, InvalidHoldToken,
    StaleFencingToken, HoldExpired or HoldStateError.
    """
    confirmed = _call(
        "locks_confirm", hold_id, token, {"fencing_token": fencing_token, "reference": reference}
    )
    if not confirmed:
        rooms = _read(hold_id, token)
        if any(room.fencing_token != fencing_token for room in rooms):
            raise StaleFencingToken
        if all(room.status is AllocationStatus.CONFIRMED for room in rooms):
            return Hold.of(rooms)
        raise _state_error(rooms) or HoldExpired()
    metrics.ENDED.labels(how="confirmed").inc(len(confirmed))
    return Hold.from_json(confirmed)


def confirm_hold_for_booking(
    hold_id: UUID, *, token: str | None, fencing_token: int, booking_id: UUID, reference: str
) -> Hold:
    """Confirm a hold, or take a hold that is already confirmed, and assign its stays to a booking.

    Runs in the caller's transaction, and locks the stays. If the hold has several rooms, the `group_id` of their stays
    becomes `booking_id`. A call that is repeated with the same token returns the same stays. Raises the errors of
    `confirm_hold`.
    """
    assigned = selectors.allocations().filter(
        group_id=booking_id, token_digest=digest(token or ""), status=AllocationStatus.CONFIRMED
    )
    if rooms := [AllocatedRoom.from_allocation(allocation) for allocation in assigned]:
        return Hold.of(rooms)
    hold = confirm_hold(hold_id, token=token, fencing_token=fencing_token, reference=reference)
    # A hold that an earlier call confirmed is not locked, so another client may have cancelled or moved its stays.
    rooms = lock_stays([room.id for room in hold.rooms])
    if len(rooms) < len(hold.rooms):
        raise HoldStateError(_("The stay was cancelled."), hold_status=AllocationStatus.CANCELLED)
    if len(rooms) > 1:
        Allocation.objects.filter(id__in=[room.id for room in rooms]).update(group_id=booking_id)
    return Hold.of(rooms)


def lock_stays(ids: Collection[UUID]) -> list[AllocatedRoom]:
    """Lock the allocations with these ids, and return those that are stays. Runs in the caller's transaction."""
    locked = selectors.allocations().select_for_update(no_key=True, of=("self",)).filter(id__in=ids)
    rooms = [AllocatedRoom.from_allocation(allocation) for allocation in locked.order_by("id")]
    return [room for room in rooms if room.status is AllocationStatus.CONFIRMED]


def cancel_confirmed_hold(hold_id: UUID, *, token: str | None) -> Hold:
    """Cancel the stays that resulted from a hold or from the holds of a group.

    It is not an error if the stays are already cancelled. Raises HoldNotFound, InvalidHoldToken or HoldStateError.
    Raises StayBelongsToReservation if a reservation has one of the stays.
    """
    with transaction.atomic():
        rooms = _read(hold_id, token)
        stays = lock_stays([room.id for room in rooms])
        if not stays:
            rooms = _read(hold_id, token)
            if any(room.status is not AllocationStatus.CANCELLED for room in rooms):
                raise HoldStateError(hold_status=rooms[0].status)
            return Hold.of(rooms)
        bookings.check_unbooked([stay.id for stay in stays])
        cancelled = _end(
            hold_id,
            token,
            status=AllocationStatus.CONFIRMED,
            new_status=AllocationStatus.CANCELLED,
            event=events.STAY_CANCELLED,
        )
    return Hold.from_json(cancelled)


def _call(
    function: LiteralString, hold_id: UUID, token: str | None, params: Mapping[str, Any]
) -> list[dict[str, Any]] | None:
    result: list[dict[str, Any]] | None = call(function, {"hold": str(hold_id), **ownership(token), **params})
    return result


def _end(
    hold_id: UUID,
    token: str | None,
    *,
    status: AllocationStatus,
    new_status: AllocationStatus,
    event: EventType,
) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = call(
        "locks_end",
        {
            "allocation": str(hold_id),
            **ownership(token),
            "status": status,
            "new_status": new_status,
            "event": event.name,
            "event_fields": postgres_array(event_fields(event)),
        },
    )
    return result


def _read(hold_id: UUID, token: str | None) -> list[AllocatedRoom]:
    """Return the rooms of the owner's hold. Raises HoldNotFound or InvalidHoldToken."""
    allocations = list(selectors.allocations_of(hold_id))
    if not allocations:
        raise HoldNotFound(_("There is no hold with the id {id}.").format(id=hold_id))
    token_digest, staff = digest(token or ""), staff_holder()
    for allocation in allocations:
        if bytes(allocation.token_digest or b"") != token_digest and allocation.holder != staff:
            raise InvalidHoldToken
    return [AllocatedRoom.from_allocation(allocation) for allocation in allocations]


def _state_error(rooms: list[AllocatedRoom]) -> DomainError | None:
    """Return the error to raise if the hold of these rooms cannot be extended or confirmed, or None if it can."""
    statuses = {room.status for room in rooms}
    if AllocationStatus.EXPIRED in statuses:
        return HoldExpired()
    if AllocationStatus.HELD in statuses:
        return None
    if AllocationStatus.CONFIRMED in statuses:
        return _already_confirmed()
    return HoldStateError(_("The hold was released."), hold_status=AllocationStatus.RELEASED)


def _already_confirmed() -> HoldStateError:
    return HoldStateError(_("The hold was confirmed."), hold_status=AllocationStatus.CONFIRMED)

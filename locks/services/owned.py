"""What the owner of a hold does with it: by its token, or as the member of staff who made it."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record_many
from audit.sql import acting
from locks import events, metrics, policy, sql
from locks.errors import (
    HoldExpired,
    HoldNotFound,
    HoldStateError,
    InvalidHoldToken,
    StaleFencingToken,
    TooManyExtensions,
)
from locks.holds import AllocatedRoom, Hold, answered_room, held_room, rows
from locks.models import AllocationStatus
from locks.owner import digest, staff_holder
from locks.webhooks.publishing import publish
from tenants.context import current_hotel
from tenants.database.functions import call_function
from tenants.errors import DomainError
from tenants.queue import due


def extend_hold(hold_id: UUID, *, token: str | None) -> Hold:
    """Add `policy.EXTENSION_SECONDS` to the hold's end, as often as it has extensions and its life allows.

    `hold_id` is a room's hold or a group's, which is extended whole or not at all. Raises HoldNotFound,
    InvalidHoldToken, HoldExpired, HoldStateError or TooManyExtensions.
    """
    seconds = {"seconds": policy.EXTENSION_SECONDS}
    if room := _change_one("locks_extend", hold_id, token, seconds):
        metrics.EXTENDED.inc()
        return Hold.of([room])
    with transaction.atomic():
        changed, all_of_it = _change(sql.EXTEND, hold_id, token, seconds)
        if not all_of_it:
            raise _refusal(_find(hold_id, token, but=changed)) or TooManyExtensions()
        due.schedule(kind="hold", items=[(room.id, room.expires_at) for room in changed if room.expires_at])
        record_many(events.HOLD_EXTENDED, [(("hold", room.id), _extension(room)) for room in changed])
    metrics.EXTENDED.inc(len(changed))
    return Hold.of(changed)


def release_hold(hold_id: UUID, *, token: str | None) -> Hold:
    """Give the rooms back. What was released before, or has lapsed, is free already: that is no error.

    Raises HoldNotFound, InvalidHoldToken or HoldStateError.
    """
    if room := _change_one("locks_release", hold_id, token, {}):
        metrics.ENDED.labels(how="released").inc()
        return Hold.of([room])
    with transaction.atomic():
        changed, _whole = _change(sql.RELEASE, hold_id, token, {})
        if not changed:
            found = _find(hold_id, token)
            if any(room.status is AllocationStatus.CONFIRMED for room in found):
                raise HoldStateError(_("The hold was confirmed."), hold_status=AllocationStatus.CONFIRMED)
            return Hold.of(found)
        due.cancel(kind="hold", ids=[room.id for room in changed])
        record_many(events.HOLD_RELEASED, [(("hold", room.id), room.dates) for room in changed])
        publish("hold.released", [room.id for room in changed])
    metrics.ENDED.labels(how="released").inc(len(changed))
    return Hold.of(changed)


def confirm_hold(hold_id: UUID, *, token: str | None, fencing_token: int, reference: str = "") -> Hold:
    """Turn the hold into the stay: the same row, so that there is no moment in which the room is free.

    `fencing_token` is the number that was given out with the hold. A group is confirmed whole or not at all. Again
    with the same token and fencing token: the same answer. Raises HoldNotFound, InvalidHoldToken, StaleFencingToken,
    HoldExpired or HoldStateError.
    """
    given = {"fencing_token": fencing_token, "reference": reference}
    if room := _change_one("locks_confirm", hold_id, token, given):
        metrics.ENDED.labels(how="confirmed").inc()
        return Hold.of([room])
    with transaction.atomic():
        changed, all_of_it = _change(sql.CONFIRM, hold_id, token, given)
        if not all_of_it:
            found = _find(hold_id, token, but=changed)
            if any(room.fencing_token != fencing_token for room in found):
                raise StaleFencingToken
            if not changed and all(room.status is AllocationStatus.CONFIRMED for room in found):
                return Hold.of(found)
            raise _refusal(found) or HoldExpired()
        due.cancel(kind="hold", ids=[room.id for room in changed])
        record_many(events.HOLD_CONFIRMED, [(("hold", room.id), _confirmation(room)) for room in changed])
        publish("hold.confirmed", [room.id for room in changed])
    metrics.ENDED.labels(how="confirmed").inc(len(changed))
    return Hold.of(changed)


def cancel_confirmed_hold(hold_id: UUID, *, token: str | None) -> Hold:
    """Free the rooms of the stay, or the group of stays, that the hold became: the booking was cancelled.

    Again is no error. Raises HoldNotFound, InvalidHoldToken or HoldStateError.
    """
    with transaction.atomic():
        changed, _whole = _change(sql.CANCEL, hold_id, token, {})
        if not changed:
            found = _find(hold_id, token)
            if any(room.status is not AllocationStatus.CANCELLED for room in found):
                raise HoldStateError(hold_status=found[0].status)
            return Hold.of(found)
        record_many(events.STAY_CANCELLED, [(("hold", room.id), room.dates) for room in changed])
        publish("stay.cancelled", [room.id for room in changed])
    return Hold.of(changed)


def _extension(room: AllocatedRoom) -> dict[str, Any]:
    return {**room.dates, "expires_at": room.expires_at, "extensions_left": room.extensions_left}


def _confirmation(room: AllocatedRoom) -> dict[str, Any]:
    return {**room.dates, "fencing_token": room.fencing_token, "reference": room.reference}


def _change_one(
    function: LiteralString, hold_id: UUID, token: str | None, params: Mapping[str, Any]
) -> AllocatedRoom | None:
    """The hold of one room, changed with all that follows by a function of migration 0002, in one message.

    None for a group's, or a refusal.
    """
    said = call_function(
        function,
        {
            **acting(),
            "hotel": str(current_hotel().id),
            "hold": str(hold_id),
            "digest": digest(token or "").hex(),
            "staff": staff_holder(),
            **params,
        },
    )
    return answered_room(said) if said else None


def _owner(hold_id: UUID, token: str | None) -> dict[str, Any]:
    return {"id": hold_id, "digest": digest(token or ""), "staff": staff_holder()}


def _change(
    statement: str, hold_id: UUID, token: str | None, params: Mapping[str, Any]
) -> tuple[list[AllocatedRoom], bool]:
    """The rooms that were changed, and whether they are all of the hold's; else the caller has to raise."""
    found = rows(statement, {**_owner(hold_id, token), **params})
    members = {row.pop("members") for row in found}
    return [held_room(row) for row in found], members == {len(found)}


def _find(hold_id: UUID, token: str | None, *, but: Sequence[AllocatedRoom] = ()) -> list[AllocatedRoom]:
    """The hold as it stands, if it is the caller's, without these rooms; what has lapsed reads as expired."""
    found = rows(sql.FIND, {"id": hold_id})
    if not found:
        raise HoldNotFound(f"There is no hold {hold_id}.")
    rooms = []
    for row in found:
        owner_digest, lapsed = row.pop("token_digest"), row.pop("lapsed")
        if bytes(owner_digest or b"") != digest(token or "") and row["holder"] != staff_holder():
            raise InvalidHoldToken
        if lapsed and row["status"] == AllocationStatus.HELD:
            row["status"] = AllocationStatus.EXPIRED
        rooms.append(held_room(row))
    changed = {room.id for room in but}
    return [room for room in rooms if room.id not in changed]


def _refusal(found: list[AllocatedRoom]) -> DomainError | None:
    """Why a hold in this state can't go on; None where its state is no reason."""
    statuses = {room.status for room in found}
    if AllocationStatus.EXPIRED in statuses:
        return HoldExpired()
    if AllocationStatus.HELD in statuses:
        return None
    confirmed = AllocationStatus.CONFIRMED in statuses
    return HoldStateError(
        _("The hold was confirmed.") if confirmed else _("The hold was released."),
        hold_status=AllocationStatus.CONFIRMED if confirmed else AllocationStatus.RELEASED,
    )

"""What the front desk does with what stands in a room, whoever made it."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record, record_many
from hotelagent.core.ids import uuid7
from locks import events, metrics, sql
from locks.errors import AllocationStateError, HoldExpired, HoldNotFound, RoomContention, RoomNotFound
from locks.holds import AllocatedRoom, Hold, held_rooms, moved_dates, rows
from locks.models import BLOCKING, AllocationStatus
from locks.nights import Nights
from locks.owner import holder
from locks.refusals import room_taken
from locks.services.expiry import expire_room
from locks.webhooks.publishing import publish, publishing_moves
from tenants.queue import due


def force_release_hold(hold_id: UUID, *, reason: str) -> Hold:
    """End another's hold, or all of a group's. Raises HoldNotFound, or AllocationStateError where it has ended."""
    with transaction.atomic():
        changed = held_rooms(sql.FORCE_RELEASE, {"id": hold_id, "reason": reason})
        if not changed:
            if rows(sql.FIND, {"id": hold_id}):
                raise AllocationStateError(_("This is no hold any more."))
            raise HoldNotFound(f"There is no hold {hold_id}.")
        due.cancel(kind="hold", ids=[room.id for room in changed])
        record_many(
            events.HOLD_FORCED,
            [
                (("hold", room.id), {**room.dates, "holder": room.holder, "reason": reason})
                for room in changed
            ],
        )
        publish("hold.released", [room.id for room in changed])
    metrics.ENDED.labels(how="forced").inc(len(changed))
    return Hold.of(changed)


def move_allocation(stay_id: UUID, *, room: int, nights: Nights) -> AllocatedRoom:
    """Give a hold, a stay or a time out of service another room or other nights, or both, in one transaction.

    It keeps its id, its end and its token. A hold gets the room's next fencing token, so that its owner can't
    confirm what they have not seen. Raises HoldNotFound, AllocationStateError, HoldExpired, RoomNotFound or
    RoomUnavailable.
    """
    with transaction.atomic():
        lock_rooms([room])
        before = _locked(stay_id)
        expire_room(room=room, nights=nights)
        # Nobody can take the room between this look and the move: whoever takes one locks it first.
        if clash := room_taken([room], nights=nights, but=stay_id):
            raise clash
        with publishing_moves([stay_id]):
            [after] = held_rooms(
                sql.MOVE,
                {
                    "id": stay_id,
                    "room": room,
                    "check_in": nights.check_in,
                    "check_out": nights.check_out,
                    "status": before.status,
                },
            )
        record(
            events.STAY_MOVED,
            subject=("hold", stay_id),
            **moved_dates(before.dates, after.dates),
        )
    return after


def close_room(*, room: int, nights: Nights, reason: str) -> AllocatedRoom:
    """Keep everybody out of a room for some nights. Raises RoomNotFound or RoomUnavailable."""
    with transaction.atomic():
        lock_rooms([room])
        expire_room(room=room, nights=nights)
        taken = held_rooms(
            sql.TAKE_OUT_OF_SERVICE,
            {
                "ids": [uuid7()],
                "room": room,
                "check_ins": [nights.check_in],
                "check_outs": [nights.check_out],
                "holder": holder(),
                "reference": "",
                "reason": reason,
            },
        )
        if not taken:
            raise room_taken([room], nights=nights) or RoomContention()
        record(events.ROOM_CLOSED, subject=("hold", taken[0].id), **taken[0].dates, reason=reason)
    return taken[0]


def reopen_room(stay_id: UUID) -> AllocatedRoom:
    """End a time out of service. Raises AllocationStateError."""
    return _end(stay_id, status=AllocationStatus.CLOSED)


def cancel_stay(stay_id: UUID) -> AllocatedRoom:
    """Free the room of a confirmed stay, for its booking was cancelled. Raises AllocationStateError."""
    return _end(stay_id, status=AllocationStatus.CONFIRMED)


def _end(stay_id: UUID, *, status: AllocationStatus) -> AllocatedRoom:
    with transaction.atomic():
        ended = held_rooms(sql.END, {"ids": [stay_id], "status": status})
        if not ended:
            raise AllocationStateError
        event = events.STAY_CANCELLED if status is AllocationStatus.CONFIRMED else events.ROOM_REOPENED
        record(event, subject=("hold", stay_id), **ended[0].dates)
        publish(event.name, [stay_id])
    return ended[0]


def lock_rooms(ids: Collection[int]) -> None:
    """Whoever takes nights of these rooms waits until the caller's transaction ends. Raises RoomNotFound."""
    found = {row["id"] for row in rows(sql.LOCK_ROOMS, {"rooms": list(ids)})}
    if missing := sorted(set(ids) - found):
        raise RoomNotFound(f"No room has the id {', '.join(map(str, missing))}.", rooms=missing)


def _locked(stay_id: UUID) -> AllocatedRoom:
    found = held_rooms(sql.LOCK_STAY, {"id": stay_id})
    if not found:
        raise HoldNotFound(f"There is no hold or stay {stay_id}.")
    [stay] = found
    if stay.status not in BLOCKING:
        raise AllocationStateError
    if stay.status is AllocationStatus.HELD and not stay.seconds_left:
        raise HoldExpired
    return stay

"""The audit events of rooms, holds, stays and closures. The events contain no guest names.

References (usually booking numbers) and the reasons that staff type are personal fields.
"""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audit.events import FIELD_LABELS, READ_KINDS, RECORD_KINDS
from audit.registry import CountedDescription, Outcome, register
from locks.errors import InvalidCheckIn, RoomNotFound, RoomTypeUnavailable, RoomUnavailable, TooManyHolds

RECORD_KINDS.update(
    {
        "allocation": _("released and expired holds"),
        "waitinglistentry": _("ended waiting list entries"),
        "webhookdelivery": _("webhook deliveries"),
    }
)
READ_KINDS["stay"] = _("stays")
_ALLOCATION = ("room", "check_in", "check_out")

ROOM_CREATED = register(
    "room.created",
    description=_("{actor} added room {number} ({room_type})"),
    fields=("number", "room_type", "floor", "capacity"),
)
ROOM_CHANGED = register(
    "room.changed",
    description=_("{actor} changed room {number}: {changes}"),
    fields=("number", "changes"),
    labels={"changes": FIELD_LABELS},
)
ROOMS_ADDED = register(
    "rooms.added",
    description=CountedDescription(
        "count",
        lambda count: ngettext(
            "{actor} added {count} room",
            "{actor} added {count} rooms",
            count,
        ),
    ),
    fields=("count", "room_types"),
)

#: The errors that an audit event can contain as the reason why rooms could not be held.
_REFUSALS = (InvalidCheckIn, RoomNotFound, RoomTypeUnavailable, RoomUnavailable, TooManyHolds)

HOLD_ACQUIRED = register(
    "hold.acquired",
    description=_("{actor} held room {room} from {check_in} to {check_out} until {expires_at}"),
    fields=(*_ALLOCATION, "expires_at", "fencing_token"),
    personal=("reference",),
)
HOLD_REFUSED = register(
    "hold.refused",
    description=_("{actor} could not hold {requested} from {check_in} to {check_out}: {reason}"),
    fields=("requested", "check_in", "check_out", "reason", "clashes"),
    labels={"reason": {error.code: error.title for error in _REFUSALS}},
    outcome=Outcome.DENIED,
)
HOLD_EXTENDED = register(
    "hold.extended",
    description=_("{actor} extended the hold on room {room} until {expires_at}"),
    fields=(*_ALLOCATION, "expires_at", "extensions_left"),
)
HOLD_RELEASED = register("hold.released", description=_("{actor} released room {room}"), fields=_ALLOCATION)
HOLD_FORCED = register(
    "hold.forced",
    description=_("{actor} released the hold on room {room} at the front desk: {reason}"),
    fields=(*_ALLOCATION, "holder"),
    personal=("reason",),
)
HOLD_EXPIRED = register(
    "hold.expired", description=_("The hold on room {room} expired"), fields=(*_ALLOCATION, "holder")
)
HOLD_CONFIRMED = register(
    "hold.confirmed",
    description=_("{actor} confirmed room {room} from {check_in} to {check_out}"),
    fields=(*_ALLOCATION, "fencing_token"),
    personal=("reference",),
)

STAY_MOVED = register(
    "stay.moved",
    description=_(
        "{actor} moved a hold, stay or closure from room {from_room} ({from_check_in} to {from_check_out}) "
        "to room {room} ({check_in} to {check_out})"
    ),
    fields=(*_ALLOCATION, "from_room", "from_check_in", "from_check_out"),
)
STAY_CANCELLED = register(
    "stay.cancelled", description=_("{actor} cancelled the stay in room {room}"), fields=_ALLOCATION
)
STAYS_ADDED = register(
    "stays.added",
    description=_("{actor} added stays: {added}. Rejected because the room was not available: {rejected}"),
    fields=("added", "rejected"),
)

ROOM_CLOSED = register(
    "room.closed",
    description=_("{actor} closed room {room} from {check_in} to {check_out}: {reason}"),
    fields=_ALLOCATION,
    personal=("reason",),
)
ROOM_REOPENED = register("room.reopened", description=_("{actor} reopened room {room}"), fields=_ALLOCATION)

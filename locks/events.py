"""What the trail says about rooms and holds. Guests are never named: a hold has no guest."""

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from audit.registry import register
from locks import policy
from locks.errors import AddressRefused, NotDelivered

#: Why a webhook was switched off.
GONE = "it answered 410 Gone"
FAILING = f"it took nothing for {policy.FAILING_DAYS} days"
_STAY = ("room", "check_in", "check_out")
#: Why a test was not taken where no status says it; what exactly it was is told to who sent it.
_UNTOLD = {NotDelivered.code: _("it was not delivered"), AddressRefused.code: _("the address is not allowed")}

ROOM_CREATED = register(
    "room.created",
    sentence=_("{actor} added room {number} ({room_type})"),
    fields=("number", "room_type", "floor", "capacity"),
)
ROOM_CHANGED = register(
    "room.changed", sentence=_("{actor} changed room {number}: {changes}"), fields=("number", "changes")
)
ROOMS_ADDED = register(
    "rooms.added", sentence=_("{actor} added {count} rooms"), fields=("count", "room_types")
)

HOLD_ACQUIRED = register(
    "hold.acquired",
    sentence=_("{actor} held room {room} from {check_in} to {check_out}, until {expires_at}"),
    fields=(*_STAY, "expires_at", "fencing_token", "reference"),
)
HOLD_REFUSED = register(
    "hold.refused",
    sentence=_("{actor} was refused {wanted} from {check_in} to {check_out}: {why}"),
    fields=("wanted", "check_in", "check_out", "why", "clashes"),
)
HOLD_EXTENDED = register(
    "hold.extended",
    sentence=_("{actor} extended the hold of room {room} to {expires_at}"),
    fields=(*_STAY, "expires_at", "extensions_left"),
)
HOLD_RELEASED = register("hold.released", sentence=_("{actor} released room {room}"), fields=_STAY)
HOLD_FORCED = register(
    "hold.forced",
    sentence=_("{actor} ended another's hold of room {room}: {reason}"),
    fields=(*_STAY, "holder", "reason"),
)
HOLD_EXPIRED = register(
    "hold.expired", sentence=_("The hold of room {room} expired"), fields=(*_STAY, "holder")
)
HOLD_CONFIRMED = register(
    "hold.confirmed",
    sentence=_("{actor} confirmed room {room} from {check_in} to {check_out}"),
    fields=(*_STAY, "fencing_token", "reference"),
)

STAY_MOVED = register(
    "stay.moved",
    sentence=_(
        "{actor} moved a stay from room {from_room} ({from_check_in} to {from_check_out}) "
        "to room {room} ({check_in} to {check_out})"
    ),
    fields=(*_STAY, "from_room", "from_check_in", "from_check_out"),
)
STAY_CANCELLED = register(
    "stay.cancelled", sentence=_("{actor} cancelled the stay in room {room}"), fields=_STAY
)
STAYS_PLACED = register(
    "stays.placed",
    sentence=_("{actor} placed {placed} stays; {refused} were refused by their rooms"),
    fields=("placed", "refused"),
)

OUT_OF_SERVICE_SET = register(
    "room.out_of_service",
    sentence=_("{actor} took room {room} out of service from {check_in} to {check_out}: {reason}"),
    fields=(*_STAY, "reason"),
)
OUT_OF_SERVICE_ENDED = register(
    "room.back_in_service", sentence=_("{actor} put room {room} back in service"), fields=_STAY
)

WAITING_JOINED = register(
    "waiting.joined",
    sentence=_("{actor} waits for {wanted} from {check_in} to {check_out}"),
    fields=("wanted", "check_in", "check_out", "reference"),
)
# These two are written by the functions of migration 0004.
WAITING_OFFERED = register(
    "waiting.offered",
    sentence=_("Room {room} was offered from the waiting list, until {expires_at}"),
    fields=(*_STAY, "waiting", "expires_at", "fencing_token"),
)
WAITING_MISSED = register(
    "waiting.missed", sentence=_("The offer to who waited was not taken up in time"), fields=("hold",)
)
WAITING_CLAIMED = register(
    "waiting.claimed",
    sentence=_("{actor} took up the offer of room {room}, until {expires_at}"),
    fields=(*_STAY, "hold", "expires_at"),
)
WAITING_LEFT = register("waiting.left", sentence=_("{actor} ended the wait for {wanted}"), fields=("wanted",))
WAITING_LAPSED = register(
    "waiting.lapsed", sentence=_("The day of arrival passed while waiting for {wanted}"), fields=("wanted",)
)

WEBHOOK_MADE = register(
    "webhook.made", sentence=_("{actor} made a webhook to {host}"), fields=("host", "events")
)
WEBHOOK_CHANGED = register(
    "webhook.changed",
    sentence=_("{actor} changed the webhook to {host}: {changes}"),
    fields=("host", "changes"),
)
WEBHOOK_DELETED = register(
    "webhook.deleted", sentence=_("{actor} deleted the webhook to {host}"), fields=("host",)
)
WEBHOOK_PINGED = register(
    "webhook.pinged",
    sentence=_("{actor} sent a test to the webhook at {host}: {outcome}"),
    fields=("host", "outcome"),
    words={"outcome": _UNTOLD},
)
WEBHOOK_SECRET_ROTATED = register(
    "webhook.secret_rotated",
    sentence=_("{actor} gave the webhook to {host} a new secret"),
    fields=("host", "old_until"),
)
WEBHOOK_SWITCHED_OFF = register(
    "webhook.switched_off",
    sentence=_("The webhook to {host} was switched off: {why}"),
    fields=("host", "why"),
    words={
        "why": {
            GONE: _("it answered 410 Gone"),
            FAILING: format_lazy(_("it took nothing for {days} days"), days=policy.FAILING_DAYS),
        }
    },
)

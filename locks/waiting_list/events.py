"""The audit events of the waiting list."""

from django.utils.translation import gettext_lazy as _

from audit.registry import register

_DATES = ("check_in", "check_out")

WAITING_LIST_JOINED = register(
    "waiting_list.joined",
    description=_("{actor} joined the waiting list for {requested} from {check_in} to {check_out}"),
    fields=("requested", *_DATES),
    personal=("reference",),
)
# The database function locks_offer records waiting_list.offered when it offers a room to the waiting list.
OFFERED = register(
    "waiting_list.offered",
    description=_("Room {room} was offered to the waiting list until {expires_at}"),
    fields=("room", *_DATES, "waiting_list_entry", "expires_at", "fencing_token"),
)
# The event waiting_list.offer_expired is written by the database function locks_publish.
OFFER_EXPIRED = register(
    "waiting_list.offer_expired",
    description=_("The offer to a waiting list entry expired"),
    fields=("hold",),
)
OFFER_CLAIMED = register(
    "waiting_list.claimed",
    description=_("{actor} claimed the offer of room {room} and holds it until {expires_at}"),
    fields=("room", *_DATES, "hold", "expires_at"),
)
ENTRY_CANCELLED = register(
    "waiting_list.cancelled",
    description=_("{actor} cancelled the waiting list entry for {requested}"),
    fields=("requested",),
)
ENTRY_EXPIRED = register(
    "waiting_list.expired",
    description=_("The waiting list entry for {requested} expired because its check-in date passed"),
    fields=("requested",),
)

"""Audit events of the waiting list."""

from django.utils.translation import gettext_lazy as _

from audit.registry import register

_STAY = ("room", "check_in", "check_out")

ENTRY_CREATED = register(
    "waiting_list.joined",
    description=_("{actor} waits for {wanted} from {check_in} to {check_out}"),
    fields=("wanted", "check_in", "check_out", "reference"),
)
# These two are written by the functions of migration 0004.
OFFER_CREATED = register(
    "waiting_list.offered",
    description=_("Room {room} was offered from the waiting list, until {expires_at}"),
    fields=(*_STAY, "waiting_list_entry", "expires_at", "fencing_token"),
)
OFFER_EXPIRED = register(
    "waiting_list.offer_expired",
    description=_("The offer to who waited was not taken up in time"),
    fields=("hold",),
)
OFFER_CLAIMED = register(
    "waiting_list.claimed",
    description=_("{actor} took up the offer of room {room}, until {expires_at}"),
    fields=(*_STAY, "hold", "expires_at"),
)
ENTRY_CANCELLED = register(
    "waiting_list.cancelled", description=_("{actor} ended the wait for {wanted}"), fields=("wanted",)
)
ENTRY_EXPIRED = register(
    "waiting_list.expired",
    description=_("The day of arrival passed while waiting for {wanted}"),
    fields=("wanted",),
)

"""Audit events of the waiting list."""

from django.utils.translation import gettext_lazy as _

from audit.registry import register

_STAY = ("room", "check_in", "check_out")

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

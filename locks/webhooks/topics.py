"""What a webhook can be told of."""

from django.utils.translation import gettext_lazy as _

EXPIRING_SOON = "hold.expiring_soon"
PING = "ping"

TOPICS = {
    "hold.created": _("A room was held"),
    EXPIRING_SOON: _("A hold is about to end"),
    "hold.expired": _("A hold has expired"),
    "hold.released": _("A hold was given back, or ended by staff"),
    "hold.confirmed": _("A hold became a stay"),
    "stay.moved": _("A hold or a stay got another room or other nights"),
    "stay.cancelled": _("A stay was cancelled"),
    "waiting_list.offered": _("A room is offered to who waited for it"),
}

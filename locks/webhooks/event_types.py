"""The types of webhook events. App configurations import this module, so it must not import models."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

#: The type of the event that the operation "Send a test event to a webhook" sends.
TEST_EVENT = "webhook.test"


class WebhookEvent(TextChoices):
    """The types of events that a webhook can subscribe to."""

    HOLD_CREATED = "hold.created", _("A room was held")
    HOLD_EXTENDED = "hold.extended", _("A hold was extended")
    HOLD_EXPIRING_SOON = "hold.expiring_soon", _("A hold is about to expire")
    HOLD_EXPIRED = "hold.expired", _("A hold expired")
    HOLD_RELEASED = "hold.released", _("A hold was released by its owner or by staff")
    HOLD_CONFIRMED = "hold.confirmed", _("A hold was confirmed and is now a stay")
    STAY_CREATED = "stay.created", _("A stay was added without a hold, for example by an import")
    STAY_MOVED = "stay.moved", _("A hold or a stay was moved to another room or other dates")
    STAY_CHECKED_IN = "stay.checked_in", _("A guest checked in")
    STAY_CHECKED_OUT = "stay.checked_out", _("A guest checked out")
    STAY_CHECK_IN_UNDONE = "stay.check_in_undone", _("A check-in was undone")
    STAY_NO_SHOW = "stay.no_show", _("A guest did not arrive (no-show)")
    STAY_INQUIRY_CONFIRMED = "stay.inquiry_confirmed", _("An inquiry was confirmed and is now a booking")
    STAY_BECAME_INQUIRY = "stay.became_inquiry", _("A booking became an inquiry that is not confirmed")
    STAY_CANCELLED = "stay.cancelled", _("A stay was cancelled")
    ROOM_CLOSED = "room.closed", _("A room was closed")
    ROOM_REOPENED = "room.reopened", _("A closed room was reopened")
    WAITING_LIST_OFFERED = "waiting_list.offered", _("A room was offered to an entry of the waiting list")

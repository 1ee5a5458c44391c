"""What the trail knows of reservations and reminders. People are named by id, never by name or address."""

from django.utils.translation import gettext_lazy as _

from audit.registry import register
from reminders.models import Reminder

RESERVATION_MADE = register(
    "reservation.made",
    sentence=_("{actor} stored reservation {number} from {arrival} to {departure}"),
    fields=("number", "arrival", "departure"),
)
RESERVATION_CHANGED = register(
    "reservation.changed",
    sentence=_("{actor} changed reservation {number}: {changed}"),
    fields=("number", "changed"),
)
RESERVATION_CANCELLED = register(
    "reservation.cancelled", sentence=_("{actor} cancelled reservation {number}"), fields=("number",)
)
RESERVATIONS_IMPORTED = register(
    "reservation.imported",
    sentence=_(
        "{actor} imported {file}: {stored} reservations stored, {unchanged} known, {rejected} rejected"
    ),
    fields=("file", "rows", "stored", "unchanged", "rejected", "stays", "rooms", "reminders"),
)
REMINDER_SENT = register(
    "reminder.sent",
    sentence=_("{actor} sent reservation {number} its reminder “{rule}”"),
    fields=("number", "rule", "attempts"),
)
REMINDER_SKIPPED = register(
    "reminder.skipped",
    sentence=_("{actor} skipped the reminder “{rule}” of reservation {number}: {reason}"),
    fields=("number", "rule", "reason"),
)
REMINDER_FAILED = register(
    "reminder.failed",
    sentence=_("{actor} could not send reservation {number} its reminder “{rule}”: {error}"),
    fields=("number", "rule", "error"),
)
REMINDER_UNKNOWN = register(
    "reminder.unknown",
    sentence=_("Nobody knows whether the {subject} went out: {error}"),
    fields=("error",),
)
REMINDER_CANCELLED = register(
    "reminder.cancelled",
    sentence=_("{actor} cancelled the reminder “{rule}” of reservation {number}"),
    fields=("number", "rule", "was"),
)
REMINDER_WANTED_NOW = register(
    "reminder.send_now",
    sentence=_("{actor} asked for the reminder “{rule}” of reservation {number} to go now"),
    fields=("number", "rule", "was"),
)
REMINDER_SETTLED = register(
    "reminder.settled",
    sentence=_("{actor} settled the reminder “{rule}” of reservation {number}: it {outcome}"),
    fields=("number", "rule", "outcome"),
)
REMINDERS_REPLANNED = register(
    "reminder.replanned",
    sentence=_("{actor} had all reminders planned again: {scheduled} scheduled, {cancelled} cancelled"),
    fields=("scheduled", "skipped", "cancelled"),
)
REMINDER_RETURNED = register(
    "reminder.returned",
    sentence=_("{actor} could not deliver the reminder “{rule}” of reservation {number}: {reason}"),
    fields=("number", "rule", "reason"),
)
GUEST_UNSUBSCRIBED = register(
    "suppression.unsubscribed",
    sentence=_("The guest of reservation {number} unsubscribed from the hotel's mails"),
    fields=("number",),
)
ADDRESS_REPORTED = register(
    "suppression.reported",
    sentence=_("{actor} reported the address of reservation {number}: {reason}"),
    fields=("number", "reason"),
)
SUPPRESSION_ADDED = register(
    "suppression.added", sentence=_("{actor} put an address on the suppression list")
)
SUPPRESSION_LIFTED = register(
    "suppression.lifted",
    sentence=_("{actor} took an address off the suppression list, where it stood as {reason}"),
    fields=("reason",),
)
BRAND_CHANGED = register(
    "brand.changed", sentence=_("{actor} changed how the mails look: {changed}"), fields=("changed",)
)


def naming(reminder: Reminder) -> dict[str, str]:
    """The fields that say which reminder it was, to a reader who knows reservations and not our ids."""
    return {"number": reminder.reservation.external_id, "rule": reminder.rule.name}

"""What the trail knows of reservations and reminders. People are named by id, never by name or address."""

from django.utils.translation import gettext_lazy as _

from audit.registry import register

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
REMINDER_SENT = register("reminder.sent", sentence=_("{actor} sent reminder {subject}"), fields=("attempts",))
REMINDER_SKIPPED = register(
    "reminder.skipped", sentence=_("{actor} skipped reminder {subject}: {reason}"), fields=("reason",)
)
REMINDER_FAILED = register(
    "reminder.failed", sentence=_("{actor} could not send reminder {subject}: {error}"), fields=("error",)
)
REMINDER_UNKNOWN = register(
    "reminder.unknown",
    sentence=_("Nobody knows whether reminder {subject} went out: {error}"),
    fields=("error",),
)
REMINDER_CANCELLED = register(
    "reminder.cancelled", sentence=_("{actor} cancelled reminder {subject}"), fields=("was",)
)
REMINDER_WANTED_NOW = register(
    "reminder.send_now", sentence=_("{actor} asked for reminder {subject} to go now"), fields=("was",)
)
REMINDER_SETTLED = register(
    "reminder.settled",
    sentence=_("{actor} settled reminder {subject}: it {outcome}"),
    fields=("outcome",),
)
REMINDERS_REPLANNED = register(
    "reminder.replanned",
    sentence=_("{actor} had all reminders planned again: {scheduled} scheduled, {cancelled} cancelled"),
    fields=("scheduled", "skipped", "cancelled"),
)

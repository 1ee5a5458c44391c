"""What the trail knows of reservations and reminders. People are named by id, never by name or address."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from audit.registry import register
from reminders.models import FIRST_RULES, Reminder, SkipReason, SuppressionReason

_SKIPPED = {reason.value: reason.label for reason in SkipReason}
_SUPPRESSED = {reason.value: reason.label for reason in SuppressionReason}
#: What providers call a mail that came back.
UNDELIVERED_REASONS = {
    "bounced": gettext_noop("the receiving server sent it back"),
    "rejected": gettext_noop("the provider did not send it"),
    "failed": gettext_noop("the provider could not send it"),
}
#: These, and the codes of `reminders.errors`.
ERROR_LABELS = {
    "mail-rejected": _("the mail server refused it"),
    "mail-deferred": _("the mail server did not take it in time"),
    "invalid-template": _("its template has a mistake"),
    "mail-outcome-unknown": _("the connection broke after the mail was handed over"),
    "worker-lost": _("the worker was lost after it handed the mail over"),
    **{what: _(words) for what, words in UNDELIVERED_REASONS.items()},
}

RESERVATION_CREATED = register(
    "reservation.created",
    description=_("{actor} stored reservation {number} from {arrival} to {departure}"),
    fields=("number", "arrival", "departure"),
)
RESERVATION_CHANGED = register(
    "reservation.changed",
    description=_("{actor} changed reservation {number}: {changed}"),
    fields=("number", "changed"),
)
RESERVATION_CANCELLED = register(
    "reservation.cancelled", description=_("{actor} cancelled reservation {number}"), fields=("number",)
)
RESERVATIONS_IMPORTED = register(
    "reservation.imported",
    description=_(
        "{actor} imported {file}: {created} reservations created, {updated} updated, {unchanged} unchanged, "
        "{rejected} rejected"
    ),
    fields=("file", "rows", "created", "updated", "unchanged", "rejected", "stays", "rooms", "reminders"),
)
REMINDER_SENT = register(
    "reminder.sent",
    description=_("{actor} sent reservation {number} its reminder “{rule}”"),
    fields=("number", "rule", "attempts"),
    labels={"rule": FIRST_RULES},
)
REMINDER_SKIPPED = register(
    "reminder.skipped",
    description=_("{actor} skipped the reminder “{rule}” of reservation {number}: {reason}"),
    fields=("number", "rule", "reason"),
    labels={"rule": FIRST_RULES, "reason": _SKIPPED},
)
REMINDER_FAILED = register(
    "reminder.failed",
    description=_("{actor} could not send reservation {number} its reminder “{rule}”: {error}"),
    fields=("number", "rule", "error"),
    labels={"rule": FIRST_RULES, "error": ERROR_LABELS},
)
REMINDER_UNKNOWN = register(
    "reminder.unknown",
    description=_("Nobody knows whether reservation {number} got its reminder “{rule}”: {error}"),
    fields=("number", "rule", "error"),
    labels={"rule": FIRST_RULES, "error": ERROR_LABELS},
)
REMINDER_CANCELLED = register(
    "reminder.cancelled",
    description=_("{actor} cancelled the reminder “{rule}” of reservation {number}"),
    fields=("number", "rule", "was"),
    labels={"rule": FIRST_RULES},
)
REMINDER_SEND_REQUESTED = register(
    "reminder.send_requested",
    description=_("{actor} asked for the reminder “{rule}” of reservation {number} to go now"),
    fields=("number", "rule", "was"),
    labels={"rule": FIRST_RULES},
)
REMINDER_SETTLED = register(
    "reminder.settled",
    description=_("{actor} settled the reminder “{rule}” of reservation {number}: it {outcome}"),
    fields=("number", "rule", "outcome"),
    labels={"rule": FIRST_RULES, "outcome": {"was sent": _("was sent"), "was not sent": _("was not sent")}},
)
REMINDERS_REPLANNED = register(
    "reminder.replanned",
    description=_("{actor} had all reminders planned again: {scheduled} scheduled, {cancelled} cancelled"),
    fields=("scheduled", "skipped", "cancelled"),
)
REMINDER_UNDELIVERED = register(
    "reminder.undelivered",
    description=_("{actor} could not deliver the reminder “{rule}” of reservation {number}: {reason}"),
    fields=("number", "rule", "reason"),
    labels={"rule": FIRST_RULES, "reason": ERROR_LABELS},
)
SUPPRESSION_UNSUBSCRIBED = register(
    "suppression.unsubscribed",
    description=_("The guest of reservation {number} unsubscribed from the hotel's mails"),
    fields=("number",),
)
SUPPRESSION_REPORTED = register(
    "suppression.reported",
    description=_("{actor} reported the address of reservation {number}: {reason}"),
    fields=("number", "reason"),
    labels={"reason": _SUPPRESSED},
)
SUPPRESSION_ADDED = register(
    "suppression.added", description=_("{actor} put an address on the suppression list")
)
SUPPRESSION_REMOVED = register(
    "suppression.removed",
    description=_("{actor} took an address off the suppression list, where it stood as {reason}"),
    fields=("reason",),
    labels={"reason": _SUPPRESSED},
)
EMAIL_BRANDING_CHANGED = register(
    "email_branding.changed",
    description=_("{actor} changed how the mails look: {changed}"),
    fields=("changed",),
    labels={"changed": {"colour": _("colour"), "logo": _("logo")}},
)
CALENDAR_LINKED = register(
    "calendar.linked",
    description=_("{actor} linked the calendar “{name}” at {host} to room {room}"),
    fields=("name", "host", "room"),
)
CALENDAR_UNLINKED = register(
    "calendar.unlinked",
    description=_("{actor} unlinked the calendar “{name}” at {host} from room {room}"),
    fields=("name", "host", "room"),
)


def reminder_fields(reminder: Reminder) -> dict[str, str]:
    """The fields that say which reminder it was, to a reader who knows reservations and not our ids."""
    return {"number": reminder.reservation.external_id, "rule": reminder.rule.name}

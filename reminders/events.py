"""The audit events of reservations and reminders. The events contain neither names nor addresses of guests.

The booking numbers, the names of uploaded files and the names of calendars are personal fields.
"""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, ngettext

from audit.events import FIELD_LABELS, RECORD_KINDS
from audit.registry import CountedDescription, Outcome, Severity, register, register_operation
from reminders.models import (
    FIRST_RULES,
    ImportKind,
    Reminder,
    ReservationStatus,
    SkipReason,
    SuppressionReason,
)

RECORD_KINDS["fileimport"] = _("uploaded files")
_SKIP_REASONS = {reason.value: reason.label for reason in SkipReason}
_IMPORT_KINDS = {kind.value: kind.label for kind in ImportKind}
_SUPPRESSION_REASONS = {reason.value: reason.label for reason in SuppressionReason}
#: The e-mail providers' event types for messages that were not delivered.
UNDELIVERED_REASONS = {
    "bounced": gettext_noop("the recipient's mail server returned the message"),
    "rejected": gettext_noop("the mail provider refused to send the message"),
    "failed": gettext_noop("the mail provider could not send the message"),
}
#: The labels of the causes that audit events contain. A cause is an error code or an event type of an e-mail provider.
ERROR_LABELS = {
    "mail-rejected": _("the mail server rejected the message"),
    "mail-deferred": _("the mail server did not accept the message in time"),
    "invalid-template": _("the template is not valid"),
    "mail-outcome-unknown": _("the connection was lost after the transmission had started"),
    "worker-lost": _("the worker stopped unexpectedly after the transmission had started"),
    **{event: _(label) for event, label in UNDELIVERED_REASONS.items()},
}

RESERVATION_CREATED = register(
    "reservation.created",
    description=_("{actor} created reservation {number} from {arrival} to {departure}"),
    fields=("arrival", "departure"),
    personal=("number",),
)
RESERVATION_CHANGED = register(
    "reservation.changed",
    description=_("{actor} changed reservation {number}: {changed}"),
    fields=("changed",),
    labels={"changed": FIELD_LABELS},
    personal=("number",),
)
RESERVATION_CANCELLED = register(
    "reservation.cancelled", description=_("{actor} cancelled reservation {number}"), personal=("number",)
)
RESERVATION_CONFIRMED = register(
    "reservation.confirmed",
    description=_("{actor} confirmed the inquiry with reservation number {number}"),
    personal=("number",),
)
GUEST_CHECKED_IN = register(
    "reservation.checked_in",
    description=_("{actor} checked in the guest of reservation {number} (room {room})"),
    fields=("room",),
    personal=("number",),
)
GUEST_CHECKED_OUT = register(
    "reservation.checked_out",
    description=_("{actor} checked out the guest of reservation {number} (room {room})"),
    fields=("room", "departure", "from_departure"),
    personal=("number",),
)
RESERVATION_NO_SHOW = register(
    "reservation.no_show",
    description=_("{actor} marked reservation {number} as a no-show"),
    personal=("number",),
)
RESERVATION_REINSTATED = register(
    "reservation.reinstated",
    description=_("{actor} changed the status of reservation {number} from {was} back to booked"),
    fields=("was",),
    personal=("number",),
    labels={"was": {status.value: status.label for status in ReservationStatus}},
)
ROOM_ASSIGNED = register(
    "reservation.room_assigned",
    description=_("{actor} assigned room {room} to reservation {number}"),
    fields=("room",),
    personal=("number",),
)
GUEST_MOVED = register(
    "reservation.moved",
    description=_("{actor} moved reservation {number} from room {from_room} to room {room}"),
    fields=("room", "from_room"),
    personal=("number",),
)
RESERVATION_DATES_CHANGED = register(
    "reservation.dates_changed",
    description=_(
        "{actor} changed the dates of reservation {number}: {arrival} to {departure} "
        "instead of {from_arrival} to {from_departure}"
    ),
    fields=("arrival", "departure", "from_arrival", "from_departure"),
    personal=("number",),
)
RESERVATIONS_IMPORTED = register(
    "reservation.imported",
    description=_(
        "{actor} imported {file}. Reservations created: {created}, updated: {updated}, unchanged: {unchanged}, "
        "rejected: {rejected}"
    ),
    personal=("file",),
    fields=("rows", "created", "updated", "unchanged", "rejected", "stays", "rooms", "reminders"),
)
IMPORT_UPLOADED = register(
    "import.uploaded",
    description=_("{actor} uploaded {file} to import {kind}"),
    fields=("kind",),
    personal=("file",),
    labels={"kind": _IMPORT_KINDS},
)
IMPORT_STARTED = register(
    "import.started",
    description=CountedDescription(
        "rows",
        lambda count: ngettext(
            "{actor} started the import of {file} ({rows} row)",
            "{actor} started the import of {file} ({rows} rows)",
            count,
        ),
    ),
    fields=("kind", "rows"),
    personal=("file",),
    labels={"kind": _IMPORT_KINDS},
)
IMPORT_STOPPED = register(
    "import.stopped",
    description=CountedDescription(
        "rows",
        lambda count: ngettext(
            "{actor} stopped the import of {file} after {rows} row",
            "{actor} stopped the import of {file} after {rows} rows",
            count,
        ),
    ),
    fields=("kind", "rows"),
    personal=("file",),
    labels={"kind": _IMPORT_KINDS},
)
IMPORT_DELETED = register(
    "import.deleted",
    description=_("{actor} deleted the uploaded file {file}"),
    fields=("kind",),
    personal=("file",),
    labels={"kind": _IMPORT_KINDS},
)
REMINDER_SENT = register_operation(
    "reminder.sent",
    description=_("{actor} sent the reminder “{rule}” for reservation {number}"),
    fields=("rule", "attempts"),
    personal=("number",),
    labels={"rule": FIRST_RULES},
)
REMINDER_SKIPPED = register_operation(
    "reminder.skipped",
    description=_("{actor} skipped the reminder “{rule}” for reservation {number}: {reason}"),
    fields=("rule", "reason"),
    personal=("number",),
    labels={"rule": FIRST_RULES, "reason": _SKIP_REASONS},
)
REMINDER_FAILED = register_operation(
    "reminder.failed",
    description=_("{actor} could not send the reminder “{rule}” for reservation {number}: {error}"),
    fields=("rule", "error"),
    personal=("number",),
    labels={"rule": FIRST_RULES, "error": ERROR_LABELS},
    severity=Severity.WARNING,
    outcome=Outcome.FAILED,
)
REMINDER_UNKNOWN = register_operation(
    "reminder.unknown",
    description=_("It is unknown whether the reminder “{rule}” for reservation {number} was sent: {error}"),
    fields=("rule", "error"),
    personal=("number",),
    labels={"rule": FIRST_RULES, "error": ERROR_LABELS},
    severity=Severity.WARNING,
)
REMINDER_CANCELLED = register_operation(
    "reminder.cancelled",
    description=_("{actor} cancelled the reminder “{rule}” for reservation {number}"),
    fields=("rule", "was"),
    personal=("number",),
    labels={"rule": FIRST_RULES},
)
# The field `rules` lists the rules whose reminders were cancelled after a change of the reservation or of a rule.
REMINDERS_CANCELLED = register_operation(
    "reminder.unplanned",
    description=_("The reminders {rules} for reservation {number} are no longer needed and were cancelled"),
    fields=("rules",),
    personal=("number",),
    labels={"rules": FIRST_RULES},
)
REMINDER_SEND_REQUESTED = register_operation(
    "reminder.send_requested",
    description=_("{actor} requested immediate sending of the reminder “{rule}” for reservation {number}"),
    fields=("rule", "was"),
    personal=("number",),
    labels={"rule": FIRST_RULES},
)
REMINDER_SETTLED = register_operation(
    "reminder.settled",
    description=_(
        "{actor} recorded the outcome of the reminder “{rule}” for reservation {number}: {outcome}"
    ),
    fields=("rule", "outcome"),
    personal=("number",),
    labels={
        "rule": FIRST_RULES,
        "outcome": {"was sent": _("sent"), "was not sent": _("not sent")},
    },
)
REMINDERS_REPLANNED = register_operation(
    "reminder.replanned",
    description=_("{actor} planned all reminders again. Scheduled: {scheduled}, cancelled: {cancelled}"),
    fields=("scheduled", "skipped", "cancelled"),
)
REMINDER_UNDELIVERED = register_operation(
    "reminder.undelivered",
    description=_(
        "{actor} reported that the reminder “{rule}” for reservation {number} was not delivered: {reason}"
    ),
    fields=("rule", "reason"),
    personal=("number",),
    labels={"rule": FIRST_RULES, "reason": ERROR_LABELS},
    severity=Severity.WARNING,
    outcome=Outcome.FAILED,
)
SUPPRESSION_UNSUBSCRIBED = register(
    "suppression.unsubscribed",
    description=_("The guest of reservation {number} unsubscribed from the hotel's e-mails"),
    personal=("number",),
)
SUPPRESSION_REPORTED = register(
    "suppression.reported",
    description=_("{actor} reported a problem with the e-mail address of reservation {number}: {reason}"),
    fields=("reason",),
    personal=("number",),
    labels={"reason": _SUPPRESSION_REASONS},
)
SUPPRESSION_ADDED = register(
    "suppression.added", description=_("{actor} added an address to the suppression list")
)
SUPPRESSION_REMOVED = register(
    "suppression.removed",
    description=_("{actor} removed an address from the suppression list (reason: {reason})"),
    fields=("reason",),
    labels={"reason": _SUPPRESSION_REASONS},
)
EMAIL_BRANDING_CHANGED = register(
    "email_branding.changed",
    description=_("{actor} changed the e-mail branding: {changed}"),
    fields=("changed",),
    labels={"changed": {"colour": _("colour"), "logo": _("logo")}},
)
CALENDAR_LINKED = register(
    "calendar.linked",
    description=_("{actor} linked the calendar “{name}” at {host} to room {room}"),
    fields=("host", "room"),
    personal=("name",),
)
CALENDAR_UNLINKED = register(
    "calendar.unlinked",
    description=_("{actor} unlinked the calendar “{name}” at {host} from room {room}"),
    fields=("host", "room"),
    personal=("name",),
)


def reminder_fields(reminder: Reminder) -> dict[str, str]:
    """Return the audit event fields that identify a reminder to staff: reservation number and rule name."""
    return {"number": reminder.reservation.external_id, "rule": reminder.rule.name}

"""The types of events about the audit trails themselves: their keys, verification, publication and retention."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audit.registry import CountedDescription, Outcome, Severity, register, register_security

# `audit.events_deleted` is recorded in each transaction that deletes expired audit events.
# A trigger permits the deletion only up to the event that the fields `last_transaction` and `last_id` identify.
# The verification accepts the deletion only if the field `first_kept` is the position of the oldest kept event.
EVENTS_DELETED = register_security(
    "audit.events_deleted",
    description=CountedDescription(
        "count",
        lambda count: ngettext(
            "Retention deleted {count} event of the audit trail, which was recorded before {before}",
            "Retention deleted {count} events of the audit trail, which were recorded before {before}",
            count,
        ),
    ),
    fields=("log", "first_kept", "count", "before", "last_transaction", "last_id"),
    severity=Severity.NOTICE,
)
# The fields `days` and `days_before` contain the new and the old retention period in days. 0 means that events are kept
# for ever.
_DAYS = {"0": _("no limit")}
_HOLD = {"True": _("on"), "False": _("off")}
RETENTION_CHANGED = register_security(
    "audit.retention_changed",
    description=_(
        "{actor} changed the retention of the audit trail (days: {days_before} → {days}, legal hold: {hold_before} → "
        "{hold}). Reason: {reason}"
    ),
    fields=("days", "days_before", "hold", "hold_before"),
    personal=("reason",),
    severity=Severity.WARNING,
    labels={"days": _DAYS, "days_before": _DAYS, "hold": _HOLD, "hold_before": _HOLD},
)
# The fields `before` and `after` contain the old and the new e-mail address, which is empty if no e-mail is sent.
AUDITOR_CHANGED = register_security(
    "audit.auditor_changed",
    description=_("{actor} changed the address to which checkpoints of the audit trail are sent"),
    fields=("language",),
    personal=("before", "after"),
    severity=Severity.WARNING,
)
KEY_ADDED = register_security(
    "audit.key_added",
    description=_("{actor} added the key {key}, which signs the audit trails"),
    fields=("key",),
    severity=Severity.WARNING,
)
KEY_REMOVED = register_security(
    "audit.key_removed",
    description=_("{actor} removed the key {key}, which signed the audit trails"),
    fields=("key",),
    severity=Severity.WARNING,
)
VERIFICATION_FAILED = register_security(
    "audit.verification_failed",
    description=_("The verification of the audit trail failed at position {position}: {reason}"),
    fields=("position", "reason"),
    severity=Severity.CRITICAL,
    outcome=Outcome.FAILED,
)
EXPORTED = register(
    "audit.exported",
    reads_personal_data=True,
    description=CountedDescription(
        "events",
        lambda count: ngettext(
            "{actor} exported {events} event of the audit trail, from position {first} on",
            "{actor} exported {events} events of the audit trail, from position {first} on",
            count,
        ),
    ),
    fields=("first", "events", "format"),
    severity=Severity.NOTICE,
)
LOG_REPLACED = register_security(
    "audit.log_replaced",
    description=_("{actor} closed the log {closed} and continued it in the log {log}: {reason}"),
    fields=("closed", "log", "reason"),
    severity=Severity.CRITICAL,
)

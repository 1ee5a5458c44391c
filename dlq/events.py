"""The event types of failures.

The events contain neither the payload nor the discard reason, because both may contain personal data. Personal data
cannot be erased from the audit trail.
"""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from audit.events import RECORD_KINDS
from audit.registry import Labels, Outcome, Severity, register, register_operation
from dlq.models import FailureStatus
from dlq.redrives.models import RedriveAction, StopReason

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

#: Display labels for the names, sources and error types of failures. The app `reminders` adds labels to this dict.
#: The apps `audit`, `locks` and `tenants` cannot add labels, because `dlq` imports them. So their labels are here.
NAMES: dict[str, str | StrPromise] = {
    "audit.tasks.seal_all": _("the sealing of the audit trails"),
    "audit.tasks.publish_all": _("the publication of the checkpoints of the audit trails"),
    "audit.tasks.email_checkpoints": _("the e-mails with the checkpoints of the audit trails"),
    "audit.tasks.delete_expired_events": _("the deletion of audit events after their retention period"),
    "audit.tasks.verify": _("the verification of the audit trail"),
    "audit.tasks.verify_platform": _("the verification of the platform's audit trail"),
    "locks.tasks.delete_ended_records": _("the deletion of old holds and offers"),
    "locks.tasks.expire_holds": _("the release of expired holds"),
    "locks.tasks.make_final_webhook_attempt": _("the last attempt to call a webhook"),
    "locks.tasks.process_waiting_list": _("the offer of rooms to the waiting list"),
    "locks.tasks.publish_expiring_holds": _("the announcement of holds that expire soon"),
    "locks.tasks.send_webhook_deliveries": _("the calls to webhooks"),
    "tenants.tasks.delete_expired_platform_records": _("the deletion of expired sessions of the platform"),
    "tenants.tasks.delete_expired_records": _("the deletion of expired sessions"),
    "tenants.tasks.delete_old_redeliveries": _("the deletion of old counts of message deliveries"),
    "tenants.tasks.make_due_backups": _("the scheduled backups"),
    "tenants.tasks.record_support_expiries": _("the recording of ended support sessions"),
    "tenants.tasks.run_due_drills": _("the restore drills of the backups"),
    "tenants.tasks.send_invitations": _("the e-mail that invites the first manager of a hotel"),
    "tenants.tasks.send_support_notices": _("the e-mail to managers about a support session"),
    "tenants.tasks.send_account_notice": _("the e-mail about a change of an account"),
    "tenants.tasks.send_password_links": _("the e-mail with a link to set a new password"),
    "tenants.tasks.handle_due": _("the processing of scheduled work of several hotels"),
    "tenants.tasks.provision_hotel": _("the creation of a hotel"),
    "tenants.tasks.provision_pending": _("the creation of hotels"),
    "tenants.tasks.schedule_daily": _("the scheduling of the daily tasks"),
    "tenants.tasks.tick": _("the dispatch of scheduled work to workers"),
}
SOURCES: dict[str, str | StrPromise] = {}
ERRORS: dict[str, str | StrPromise] = {}
#: Display labels for the JSON Pointers of payload fields.
FIELDS: dict[str, str | StrPromise] = {}
RECORD_KINDS.update(
    {
        "failure": _("closed failures"),
        "failuredata": _("the payloads and error texts of closed failures"),
        "failuregroup": _("empty groups of failures"),
        "redrive": _("ended redrives"),
    }
)
_NAMES_OR_ALL: Labels = ChainMap({"": _("all failures")}, NAMES)
_ACTIONS: Labels = {action.value: action.label for action in RedriveAction}
_STOP_REASONS: Labels = {reason.value: reason.label for reason in StopReason}
_STATUS: Labels = {status.value: status.label for status in FailureStatus}

CAPTURED = register_operation(
    "failure.captured",
    description=_("{source} reported that {name} failed: {error} (status: {status})"),
    fields=("source", "name", "error", "fingerprint", "status"),
    labels={"name": NAMES, "source": SOURCES, "error": ERRORS, "status": _STATUS},
)
REGRESSED = register_operation(
    "failure.regressed",
    description=_(
        "{name} failed again with the same data. The failure was already waiting for a person. Error: {error}"
    ),
    fields=("name", "error"),
    labels={"name": NAMES, "error": ERRORS},
)
# The database function dlq_capture records `failure.repeated` when a failure has occurred 2, 4, 8, ... times.
REPEATED = register_operation(
    "failure.repeated",
    description=_("{name} failed again, {occurrences} times so far. Error: {error}"),
    fields=("name", "error", "occurrences"),
    labels={"name": NAMES, "error": ERRORS},
)
IN_DOUBT = register_operation(
    "failure.in_doubt",
    description=_("The retry of {name} is not scheduled any more. It is unknown whether the work was done."),
    fields=("name",),
    labels={"name": NAMES},
    severity=Severity.WARNING,
)
OVERTAKEN = register_operation(
    "failure.overtaken",
    description=_("Newer work succeeded before {name} was done. {name} waits for a person."),
    fields=("name",),
    labels={"name": NAMES},
)
RETRY_REQUESTED = register_operation(
    "failure.retry_requested",
    description=_("{actor} requested a retry of {name}"),
    fields=("name", "was"),
    labels={"name": NAMES},
)
CLAIMED = register(
    "failure.claimed",
    reads_personal_data=True,
    description=_("{actor} claimed a failure ({name}) and received its data (attempt {attempt})"),
    fields=("name", "attempt"),
    labels={"name": NAMES},
)
CORRECTED = register(
    "failure.corrected",
    description=_("{actor} corrected the data of a failure ({name}): {fields}"),
    fields=("name", "fields"),
    personal=("patch",),
    labels={"name": NAMES, "fields": FIELDS},
)
PAYLOAD_VIEWED = register(
    "failure.payload_viewed",
    reads_personal_data=True,
    description=_("{actor} viewed the data of a failure ({name})"),
    fields=("name",),
    labels={"name": NAMES},
    severity=Severity.NOTICE,
)
RETRY_FAILED = register_operation(
    "failure.retry_failed",
    description=_("Retry {attempt} of {name} failed: {error}"),
    fields=("name", "attempt", "error", "status"),
    labels={"name": NAMES, "error": ERRORS},
    severity=Severity.NOTICE,
    outcome=Outcome.FAILED,
)
RESOLVED = register_operation(
    "failure.resolved",
    description=_("Retry {attempt} of {name} succeeded"),
    fields=("name", "attempt"),
    labels={"name": NAMES},
)
EXPIRED = register_operation(
    "failure.expired",
    description=_("The failure of {name} is too old for automatic retries and needs attention"),
    fields=("name",),
    labels={"name": NAMES},
    severity=Severity.WARNING,
)
DISCARDED = register_operation(
    "failure.discarded",
    description=_("{actor} discarded a failure ({name})"),
    fields=("name", "was"),
    labels={"name": NAMES},
)
ERASED = register(
    "failure.erased",
    description=_("{actor} erased the data of a guest (failures: {failures}, audit events: {events})"),
    fields=("failures", "discarded", "attempts", "groups", "events"),
    severity=Severity.NOTICE,
)
EXPORTED = register(
    "failure.exported",
    reads_personal_data=True,
    description=_("{actor} exported failures (format: {format}, selection: {criteria})"),
    fields=("format", "payloads", "criteria"),
    severity=Severity.NOTICE,
)
PAUSED = register_operation(
    "failure.paused",
    description=_("{actor} paused the retries of {name}"),
    fields=("name",),
    labels={"name": _NAMES_OR_ALL},
)
RESUMED = register_operation(
    "failure.resumed",
    description=_("{actor} resumed the retries of {name}"),
    fields=("name",),
    labels={"name": _NAMES_OR_ALL},
)
SETTINGS_CHANGED = register(
    "failure.settings_changed",
    description=_("{actor} changed the settings for failures: {changed}"),
    fields=("changed",),
)
GROUP_REGRESSED = register_operation(
    "failure_group.regressed",
    description=_("{name} failed again with a known error: {error} (code version: {version})"),
    fields=("name", "error", "version"),
    labels={"name": NAMES, "error": ERRORS},
)
GROUP_ACKNOWLEDGED = register_operation(
    "failure_group.acknowledged",
    description=_("{actor} acknowledged failures of {name}"),
    fields=("name",),
    labels={"name": NAMES},
)
GROUP_REOPENED = register_operation(
    "failure_group.reopened",
    description=_("{actor} marked failures of {name} as not acknowledged"),
    fields=("name",),
    labels={"name": NAMES},
)
GROUP_MUTED = register_operation(
    "failure_group.muted",
    description=_("{actor} muted failures of {name} (until: {until}, number of failures: {limit})"),
    fields=(
        "name",
        "until",
        "limit",
    ),
    labels={"name": NAMES},
)
GROUP_UNMUTED = register_operation(
    "failure_group.unmuted",
    description=_("{actor} unmuted failures of {name}"),
    fields=("name",),
    labels={"name": NAMES},
)
GROUP_ASSIGNED = register_operation(
    "failure_group.assigned",
    description=_("{actor} assigned failures of {name} to {assignee}"),
    fields=("name",),
    personal=("assignee",),
    labels={"name": NAMES},
)
GROUP_ANNOTATED = register_operation(
    "failure_group.annotated",
    description=_("{actor} changed the note about failures of {name}"),
    fields=("name",),
    labels={"name": NAMES},
)
GROUP_JOINED = register_operation(
    "failure_group.joined",
    description=_("{actor} moved a group of failures of {name} into the group {into}"),
    fields=(
        "name",
        "into",
    ),
    labels={"name": NAMES},
)
GROUP_SEPARATED = register_operation(
    "failure_group.separated",
    description=_("{actor} separated failures of {name} from the group {former}"),
    fields=(
        "name",
        "former",
    ),
    labels={"name": NAMES},
)
GROUP_SPLIT = register_operation(
    "failure_group.split",
    description=_("{actor} split the failures of {name}; the new group is {new}"),
    fields=(
        "name",
        "new",
    ),
    labels={"name": NAMES},
)
RETRY_WITHDRAWN = register_operation(
    "failure.retry_withdrawn",
    description=_("The retry of {name} was withdrawn, because its redrive was paused or ended"),
    fields=("name",),
    labels={"name": NAMES},
)
REDRIVE_STARTED = register_operation(
    "redrive.started",
    description=_("{actor} started a redrive of failures (action: {action})"),
    fields=("action", "rate", "canary", "max_failure_rate"),
    labels={"action": _ACTIONS},
)
REDRIVE_PAUSED = register_operation("redrive.paused", description=_("{actor} paused a redrive of failures"))
REDRIVE_RESUMED = register_operation(
    "redrive.resumed", description=_("{actor} resumed a redrive of failures")
)
REDRIVE_CANCELLED = register_operation(
    "redrive.cancelled", description=_("{actor} cancelled a redrive of failures")
)
REDRIVE_STOPPED = register_operation(
    "redrive.stopped",
    description=_("A redrive of failures was stopped: {reason} Succeeded: {succeeded}, failed: {failed}"),
    fields=("reason", "succeeded", "failed"),
    labels={"reason": _STOP_REASONS},
    severity=Severity.WARNING,
    outcome=Outcome.FAILED,
)
REDRIVE_FINISHED = register_operation(
    "redrive.finished",
    description=_(
        "A redrive of failures finished. Succeeded: {succeeded}, failed: {failed}, discarded: {discarded}, "
        "refused: {refused}"
    ),
    fields=("succeeded", "failed", "discarded", "refused"),
)

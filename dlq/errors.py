"""The errors of the dead-letter queue."""

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class FailureNotFound(DomainError):
    code = "failure-not-found"
    status = 404
    title = _("Failure not found")


class FailureStateError(DomainError):
    """A failure can be retried or discarded only if its status is scheduled, in doubt or permanent.

    `state` is the status of the failure.
    """

    code = "failure-state-error"
    title = _("The failure's status does not allow this operation")


class FailureNotRetryable(DomainError):
    """This server cannot process the message again, because another system reported the message.

    Send the message again from that system. A handler can also process the message over the REST API. The handler's API
    key must have the scope `dlq:work`, and the name of the API key that reported the message.
    """

    code = "failure-not-retryable"
    title = _("Only the system that reported this failure can retry it")


class EventConflict(DomainError):
    """An earlier CloudEvent has the same `source` and `id`, but other data. Use a new `id` for each event.

    `failure` is the id of the failure that was stored for the earlier event.
    """

    code = "event-conflict"
    title = _("Another event has the same source and id")


class AttemptStateError(DomainError):
    """The attempt has ended, or its lease has expired. Do not continue the work.

    `state` is the status of the failure, and `fencing_token` belongs to its latest attempt. A success that you
    report is stored even if the response is this error.
    """

    code = "attempt-state-error"
    title = _("The attempt is not running any more")


class InvalidSelection(DomainError):
    """A criterion has an unknown name or value, or the period ends before it starts."""

    code = "invalid-selection"
    status = 422
    title = _("The selection of failures is not valid")


class InvalidPayload(DomainError):
    """The payload of the failure does not match the JSON Schema of the kind of failure.

    `errors` maps the path of each wrong field to its messages. The messages do not contain values of the payload.
    """

    code = "invalid-payload"
    status = 422
    title = _("The payload is not valid")


class FailureGroupNotFound(DomainError):
    """No group of failures has this fingerprint."""

    code = "failure-group-not-found"
    status = 404
    title = _("Failure group not found")


class FailureGroupConflict(DomainError):
    """A group cannot be joined to itself, or an earlier join or split of these groups conflicts with this operation."""

    code = "failure-group-conflict"
    title = _("The rules of the failure groups do not allow this operation")


class InvalidSplit(DomainError):
    """The condition by which the group is split is empty, too long, or uses a field with personal data."""

    code = "invalid-split"
    status = 422
    title = _("The condition for splitting the group is not valid")


class InvalidMute(DomainError):
    """The time is in the past, or the number of failures is out of range."""

    code = "invalid-mute"
    status = 422
    title = _("The end of the mute is not valid")


class AssigneeNotFound(DomainError):
    """No active member of staff has this id."""

    code = "assignee-not-found"
    status = 422
    title = _("Member of staff not found")


class FailureConflict(DomainError):
    """The failure was corrected, retried or discarded since the client read the failure.

    The failure no longer has the version that the client sent in `If-Match`. Read the failure again.
    """

    code = "failure-conflict"
    status = 412
    title = _("The failure was changed in the meantime")


class VersionRequired(DomainError):
    """Send the `ETag` of the failure in `If-Match`, so that you do not overwrite another person's correction."""

    code = "version-required"
    status = 428
    title = _("The header If-Match is required")


class InvalidPatch(DomainError):
    """The JSON Patch (RFC 6902) is not valid or does not fit the payload. `errors` names the operation."""

    code = "invalid-patch"
    status = 422
    title = _("The JSON Patch is not valid")


class RedriveNotFound(DomainError):
    code = "redrive-not-found"
    status = 404
    title = _("Redrive not found")


class RedriveStateError(DomainError):
    """Only a redrive job that has not ended can be paused or cancelled, and only a paused redrive can be resumed.

    `state` is the status of the redrive.
    """

    code = "redrive-state-error"
    title = _("The redrive's status does not allow this operation")


class InvalidRedrive(DomainError):
    """The options of a redrive job contradict each other, or the reason for discarding failures is missing.

    A discard needs a reason. The rate, the size of the canary and the maximum failure rate apply to retries only.
    """

    code = "invalid-redrive"
    status = 422
    title = _("The options of the redrive are not valid")


class InvalidIdentifier(DomainError):
    code = "invalid-identifier"
    status = 422
    title = _("The identifier of the guest is not valid")


class NonRetryableError(Exception):
    """An error that further retries cannot fix.

    A retry handler raises this error with `raise NonRetryableError from error`.
    """


class AttemptLost(Exception):
    """The worker of an attempt did not report a result before the lease of the attempt expired."""

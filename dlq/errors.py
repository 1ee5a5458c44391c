"""The errors of the dead-letter queue."""

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class FailureNotFound(DomainError):
    code = "failure-not-found"
    status = 404
    title = _("Failure not found")


class FailureStateError(DomainError):
    """`state` is the failure's current status. Only scheduled and permanent failures can be retried or discarded."""

    code = "failure-state-error"
    title = _("The failure's status does not allow this operation")


class FailureNotRetryable(DomainError):
    """Only the system that reported the failure can send the message again."""

    code = "failure-not-retryable"
    title = _("The failure cannot be retried here")


class NonRetryableError(Exception):
    """Raised by a retry handler for an error that further retries cannot fix: `raise NonRetryableError from error`."""


class AttemptLost(Exception):
    """The error of an attempt whose worker did not report a result before the lease expired."""

"""What can stand in the way of a retry or a discard, and how a retrier says that trying again can't help."""

from tenants.errors import DomainError


class FailureNotFound(DomainError):
    code = "failure-not-found"
    status = 404
    title = "There is no such failure"


class FailureStateError(DomainError):
    """The failure is not in a state that allows this; the answer's `state` says which it is in."""

    code = "failure-state-error"
    status = 409
    title = "The failure is not in a state that allows this"


class FailureNotRetryable(DomainError):
    """The system that reported it must send it again."""

    code = "failure-not-retryable"
    status = 409
    title = "Nothing here knows how to send this again"


class NonRetryableError(Exception):
    """A retrier raises this, from the error itself, when no retry can help: `raise NonRetryableError from error`."""


class AttemptLost(Exception):
    """The worker that was at it never reported back: it died, or the broker lost the task."""

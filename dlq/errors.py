"""What can stand in the way of a retry or a discard."""

from tenants.errors import DomainError


class FailureNotFound(DomainError):
    code = "failure-not-found"
    status = 404
    title = "No such failure"


class WrongState(DomainError):
    """The failure is not in a state that allows this; `status` in the answer says which it is in."""

    code = "failure-wrong-state"
    status = 409
    title = "The failure is not in a state that allows this"


class NoRetrier(DomainError):
    """Nothing here knows how to send this again: the system that reported it must."""

    code = "failure-no-retrier"
    status = 409
    title = "Nothing here knows how to send this again"

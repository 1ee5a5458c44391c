"""What the trail says about failures.

A payload may hold a guest's data, so none of it stands here; nor does the reason of a discard, which a person
types: it stands with the failure.
"""

from django.utils.translation import gettext_lazy as _

from audit.registry import register

CAPTURED = register(
    "failure.captured",
    sentence=_("{name} failed in {source}: {error} ({status})"),
    fields=("source", "name", "error", "fingerprint", "status"),
)
RETRY_REQUESTED = register(
    "failure.retry_requested", sentence=_("{actor} asked to send {name} again"), fields=("name", "was")
)
RETRY_FAILED = register(
    "failure.retry_failed",
    sentence=_("Retry {attempt} of {name} failed: {error}"),
    fields=("name", "attempt", "error", "status"),
)
RESOLVED = register(
    "failure.resolved", sentence=_("Retry {attempt} of {name} succeeded"), fields=("name", "attempt")
)
EXPIRED = register(
    "failure.expired",
    sentence=_("{name} could not be retried in time and waits for a person"),
    fields=("name",),
)
DISCARDED = register("failure.discarded", sentence=_("{actor} discarded {name}"), fields=("name", "was"))

"""What the trail says about failures.

A payload may hold a guest's data, so none of it stands here; nor does the reason of a discard, which a person
types: it stands with the failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from audit.registry import Labels, register
from dlq.models import Status

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

#: What people call the things of ours that fail, where, and how: an app adds its own.
NAMES: dict[str, str | StrPromise] = {}
SOURCES: dict[str, str | StrPromise] = {}
ERRORS: dict[str, str | StrPromise] = {}
_STATUS: Labels = {status.value: status.label for status in Status}

CAPTURED = register(
    "failure.captured",
    description=_("{source}: {name} failed: {error} ({status})"),
    fields=("source", "name", "error", "fingerprint", "status"),
    labels={"name": NAMES, "source": SOURCES, "error": ERRORS, "status": _STATUS},
)
RETRY_REQUESTED = register(
    "failure.retry_requested",
    description=_("{actor} asked to send {name} again"),
    fields=("name", "was"),
    labels={"name": NAMES},
)
RETRY_FAILED = register(
    "failure.retry_failed",
    description=_("Retry {attempt} of {name} failed: {error}"),
    fields=("name", "attempt", "error", "status"),
    labels={"name": NAMES, "error": ERRORS},
)
RESOLVED = register(
    "failure.resolved",
    description=_("Retry {attempt} of {name} succeeded"),
    fields=("name", "attempt"),
    labels={"name": NAMES},
)
EXPIRED = register(
    "failure.expired",
    description=_("{name} could not be retried in time and waits for a person"),
    fields=("name",),
    labels={"name": NAMES},
)
DISCARDED = register(
    "failure.discarded",
    description=_("{actor} discarded {name}"),
    fields=("name", "was"),
    labels={"name": NAMES},
)

"""The parts of a failure's payload that a person or an API client may see, and the record of each view."""

from dataclasses import dataclass
from typing import Any

from audit.reading.repeated_reads import record_once_per_hour
from dlq import events
from dlq.corrections.declared_fields import keys_of, mask_all_but_open, mask_secrets, pointer, public_pointer
from dlq.corrections.patches import Patch, difference
from dlq.corrections.services import current_payload
from dlq.errors import FailureNotRetryable
from dlq.kinds.registry import Kind, find_kind
from dlq.models import Failure
from dlq.payloads.secret_fields import PLACEHOLDER, decrypt


@dataclass(frozen=True, slots=True)
class ShownPayload:
    """The payload of a failure as people and API clients see it.

    `current` is the payload of the next attempt. `original` is the payload that was captured, and `patch` is the JSON
    Patch that changes `original` to `current`. Both are None if the payload was not corrected.

    Secret values are masked. If `is_masked` is True, all values that may be personal are masked too.
    """

    current: Any
    original: Any
    patch: Patch | None
    is_masked: bool


def show_payload(failure: Failure, *, may_view: bool) -> ShownPayload:
    """Return the payload for a person with or without the permission to view payloads.

    Secret values are always masked. If the person has the permission, the view is recorded in the audit trail, at most
    once per hour for the same person and failure.
    """
    kind = find_kind(failure.name)
    hide = mask_secrets if may_view else mask_all_but_open
    current, original, patch = hide(kind, current_payload(failure)), None, None
    if failure.corrected_payload is not None:
        original = hide(kind, failure.payload)
        changes = difference(failure.payload, failure.corrected_payload) + _secret_changes(failure)
        patch = [_show_operation(change, kind, may_view=may_view) for change in changes]
    if may_view and current:
        record_once_per_hour(events.PAYLOAD_VIEWED, subject=("failure", failure.id), name=failure.name)
    return ShownPayload(current, original, patch, is_masked=not may_view)


def _show_operation(operation: dict[str, Any], kind: Kind, *, may_view: bool) -> dict[str, Any]:
    hide = mask_secrets if may_view else mask_all_but_open
    shown = dict(operation)
    if "value" in operation:
        shown["value"] = hide(kind, operation["value"], keys_of(operation["path"]))
    if not may_view:
        for name in ("path", "from"):
            if name in operation:
                shown[name] = public_pointer(kind, keys_of(operation[name]))
    return shown


def _secret_changes(failure: Failure) -> Patch:
    """Return one JSON Patch operation for each secret value that the correction replaced.

    The operation contains a placeholder instead of the new value.
    """
    try:
        before = decrypt(failure.secrets, failure_id=failure.id)
        after = decrypt(failure.corrected_secrets, failure_id=failure.id)
    except FailureNotRetryable:
        return []
    changed = [path for path in before.keys() & after.keys() if before[path] != after[path]]
    return [
        {"op": "replace", "path": pointer(path), "value": PLACEHOLDER} for path in sorted(changed, key=str)
    ]

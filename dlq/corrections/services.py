"""Correction of the payload of a failure, followed by a retry with the corrected payload."""

import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from audit.services import record
from dlq import events, services
from dlq.corrections import patches
from dlq.corrections.declared_fields import mask_secrets
from dlq.errors import FailureConflict, FailureNotFound, InvalidPayload
from dlq.kinds.fields import Path, find_values
from dlq.kinds.registry import Kind, find_kind
from dlq.kinds.schemas import errors_by_field, find_problems
from dlq.models import Failure
from dlq.payloads import StoredPayload, json_values, secret_fields, to_stored
from dlq.payloads.secret_fields import PLACEHOLDER
from dlq.retries import ordering

#: The schema of the payloads of Celery tasks that declare no schema.
_TASK = Kind(
    name="task",
    schema={
        "type": "object",
        "properties": {"args": {"type": "array"}, "kwargs": {"type": "object"}},
        "required": ["args", "kwargs"],
        "additionalProperties": False,
    },
)


def correct_and_retry(
    *,
    failure_id: uuid.UUID,
    change: Callable[[Any], Any],
    may_change: Callable[[str], bool] = lambda _version: True,
) -> None:
    """Replace the payload of a failure and schedule an immediate retry, in one transaction.

    `may_change` receives the `Failure.version` of the locked failure, and returns whether the failure may be changed.
    `change` receives the current payload in its stored form, in which secret values are masked, and returns the
    corrected payload. `change` may raise a DomainError. Masked values stay unchanged. The captured payload is kept.

    The work key stays the same, because the failure is about the same work. As with `services.retry`, the number of
    retries stays the same: if this retry fails and no automatic retries are left, the failure is permanent again.

    Raises FailureNotFound. Raises FailureConflict if `may_change` returns False. Raises
    InvalidPayload if the corrected payload does not match the schema of its kind. Raises FailureNotRetryable and
    FailureStateError as `services.retry` does, and the errors of `Kind.on_correction`.
    """
    with transaction.atomic():
        try:
            failure = ordering.lock_failure(failure_id)
        except Failure.DoesNotExist:
            raise FailureNotFound(_("There is no failure {id}.").format(id=failure_id)) from None
        if not may_change(failure.version):
            raise FailureConflict(
                _(
                    "The failure was corrected, retried or discarded in the meantime. "
                    "Check the current payload, and correct it again."
                )
            )
        kind = find_kind(failure.name)
        before = mask_secrets(kind, current_payload(failure))
        after = change(before)
        stored = _to_stored(after, before, failure, kind)
        patch = patches.recorded(patches.difference(before, after), kind=kind)
        Failure.objects.filter(id=failure.id).update(
            corrected_payload=stored.readable,
            corrected_secrets=stored.secrets,
            corrections=F("corrections") + 1,
        )
        record(
            events.CORRECTED,
            subject=("failure", failure.id),
            name=failure.name,
            fields=[operation["path"] for operation in patch],
            patch=patch,
        )
        services.retry(failure_id=failure_id)
        if kind.on_correction is not None:
            kind.on_correction(before, after)


def current_payload(failure: Failure) -> Any:
    """Return the stored payload of the next attempt: the last correction, or else the captured payload."""
    return failure.payload if failure.corrected_payload is None else failure.corrected_payload


def _to_stored(after: Any, before: Any, failure: Failure, kind: Kind) -> StoredPayload:
    """Return the corrected payload in its stored form.

    Raises InvalidPayload if the corrected payload could not be restored from its stored form.
    """
    try:
        restored = secret_fields.merge(json_values.untag(after), failure)
    except (ValueError, TypeError, RecursionError) as error:
        message = _("A value does not match its `__type__`. Correct the `__value__` or the `__type__`.")
        raise _invalid({"payload": [message]}) from error
    stored = to_stored(restored, kind=kind, failure_id=failure.id)
    if stored.original is not None or not isinstance(restored, dict):
        message = _(
            "The payload must be a JSON object. It must not contain NUL characters, incomplete characters "
            "(lone surrogates) or numbers that are too large."
        )
        raise _invalid({"payload": [message]})
    _check_secrets(restored, after, before, kind)
    # `services.retry` checks the payload against the schema of the kind of failure.
    if failure.is_task and kind.schema is None and (problems := find_problems(_TASK, restored)):
        raise _invalid(errors_by_field(problems))
    return stored


def _check_secrets(restored: Any, after: Any, before: Any, kind: Kind) -> None:
    """Raise InvalidPayload if it is not certain which secret value a placeholder stands for.

    For example, if list items were moved, a placeholder could stand for the secret value of another list item.
    """
    kept = [path for path, value in find_values(after, kind.secret_fields).items() if value == PLACEHOLDER]
    values = find_values(restored, kind.secret_fields)
    masked = mask_secrets(kind, after)
    missing = [
        path
        for path in kept
        if values.get(path) == PLACEHOLDER or _outer_list(masked, path) != _outer_list(before, path)
    ]
    if missing:
        message = _(
            "Enter the secret value again. A masked value cannot be moved to another field or list item."
        )
        raise _invalid({".".join(map(str, path)): [message] for path in missing})


def _outer_list(payload: Any, path: Path) -> Any:
    """Return the outermost list that contains the field at this path, or None if no list contains the field."""
    for key in path:
        if isinstance(key, int):
            return payload
        payload = payload.get(key) if isinstance(payload, dict) else None
    return None


def _invalid(errors: dict[str, list[str]]) -> InvalidPayload:
    details = "; ".join(f"{field}: {message}" for field, messages in errors.items() for message in messages)
    return InvalidPayload(details, errors=errors)

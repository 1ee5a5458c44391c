"""The stored form of payloads.

If jsonb would reject or change a payload, the table stores both the exact bytes and a readable copy. Secret fields are
encrypted.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from dlq.error_reports import ErrorReport, hide_texts
from dlq.errors import FailureNotRetryable
from dlq.kinds.registry import Kind, find_kind
from dlq.kinds.schemas import SchemaProblem, find_problems
from dlq.models import OPEN_STATUSES, Failure
from dlq.payloads import json_values, secret_fields
from hotelagent.core.text import storable

#: The media type of stored bytes from which the exact payload can be restored.
EXACT_TYPE = "application/vnd.hotelagent.payload+json"
#: The media type of a payload that is stored only as readable text. The text is not enough to restore the payload.
TEXT_TYPE = "text/plain"
#: The media type of bytes that may contain secrets, and are therefore encrypted.
ENCRYPTED_TYPE = "application/vnd.hotelagent.encrypted"
#: The readable form of a payload that is stored as text contains at most this number of characters.
MAX_READABLE_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """A payload in the form in which it is stored.

    `readable` is the JSON that staff see. If `readable` differs from the payload, `original` contains the payload with
    the media type `original_type`. Otherwise `original` is None. `secrets` are the encrypted values of the secret
    fields, and `secrets_digest` is their keyed digest.
    """

    readable: Any
    original: bytes | None = None
    original_type: str = ""
    secrets: bytes | None = None
    secrets_digest: bytes = b""


def to_stored(payload: Any, *, kind: Kind, failure_id: UUID, is_valid: bool = True) -> StoredPayload:
    """Return the payload in its stored form, as text if JSON cannot represent it. Never raises an exception.

    `is_valid` says whether the payload matches the schema of the kind of failure.
    """
    if isinstance(payload, StoredPayload):
        return _without_secrets(payload, kind=kind, failure_id=failure_id)
    public, values = secret_fields.split(payload, kind, is_valid=is_valid)
    secrets, digest = None, b""
    if values:
        content = secret_fields.to_bytes(values)
        secrets, digest = secret_fields.encrypt(content, failure_id=failure_id), secret_fields.digest(content)
    try:
        tagged = json_values.tag(public)
        readable = json_values.readable(tagged)
        exact = None if readable == tagged else json.dumps(tagged).encode()
    except Exception:  # noqa: BLE001 - a payload may contain any object, and be nested to any depth
        text = json_values.to_text(public)
        readable = {"text": storable(text[:MAX_READABLE_TEXT])}
        return StoredPayload(readable, text.encode("utf-8", "surrogatepass"), TEXT_TYPE, secrets, digest)
    return StoredPayload(readable, exact, EXACT_TYPE if exact else "", secrets, digest)


def _without_secrets(payload: StoredPayload, *, kind: Kind, failure_id: UUID) -> StoredPayload:
    """Return the stored payload without readable secrets.

    If the kind of failure has secret fields, the bytes of the message are encrypted, because the bytes may contain the
    values of these fields.
    """
    if not kind.secret_fields or payload.original is None:
        return payload
    return StoredPayload(
        {"text": secret_fields.PLACEHOLDER},
        secret_fields.encrypt(payload.original, failure_id=failure_id),
        ENCRYPTED_TYPE,
        secrets_digest=secret_fields.digest(payload.original),
    )


def restore(failure: Failure) -> Any:
    """Return the corrected payload of the failure, or else the payload that was captured, with its secret values.

    Raises FailureNotRetryable if the payload cannot be restored.
    """
    if failure.corrected_payload is not None:
        return secret_fields.merge(json_values.untag(failure.corrected_payload), failure)
    if failure.original is None:
        return secret_fields.merge(json_values.untag(failure.payload), failure)
    if failure.original_type != EXACT_TYPE:
        raise FailureNotRetryable(
            _("The payload cannot be restored. Do the work manually, and then discard the failure.")
        )
    return secret_fields.merge(json_values.untag(json.loads(bytes(failure.original))), failure)


def is_exact(failure: Failure) -> bool:
    """Return whether the stored JSON equals the payload that the next attempt gets.

    A failure whose JSON differs from its payload is not retried automatically: a person must request each retry.
    """
    return failure.original is None or failure.corrected_payload is not None


def hide_values(report: ErrorReport, failure: Failure) -> ErrorReport:
    """Return the error report of a retry without the personal and secret values of the failure's payload."""
    kind = find_kind(failure.name)
    if not kind.personal_fields and not kind.secret_fields:
        return report
    try:
        payload = restore(failure)
    except FailureNotRetryable:
        return report
    return hide_texts(report, secret_fields.hidden_texts(payload, kind))


def find_payload_problems(failure: Failure) -> list[SchemaProblem]:
    """Return the problems of the payload of an open failure, or an empty list if the payload is valid.

    The list is empty for closed failures, which need no payload.
    """
    kind = find_kind(failure.name)
    if kind.schema is None or failure.status not in OPEN_STATUSES:
        return []
    try:
        return find_problems(kind, restore(failure))
    except FailureNotRetryable as error:
        return [SchemaProblem("", error.detail)]

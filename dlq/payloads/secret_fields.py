"""Encryption of the secret fields of payloads. Secret values are stored encrypted, apart from the payload.

The payload contains a placeholder for each secret value.

The key is derived from SECRET_KEY. A value is bound to its hotel and its failure, so a value that was copied to another
row cannot be decrypted there.
"""

import hashlib
import hmac
import json
from collections.abc import Collection
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from django.utils.translation import gettext as _

from dlq.errors import FailureNotRetryable
from dlq.kinds.fields import Path, find_values, replace_values
from dlq.kinds.registry import Kind
from dlq.models import Failure
from dlq.payloads.json_values import tag, to_text, untag
from hotelagent.core import encryption
from tenants.context import current_tenant

#: The text that a payload contains instead of a secret value.
PLACEHOLDER = "[secret]"
_KEY_PURPOSE = b"dlq secret fields"
_DIGEST_PURPOSE = b"dlq work key"
#: Personal and secret values with fewer characters than this are not removed from error texts, because short values
#: could be part of many words.
_MIN_HIDDEN_LENGTH = 4


def split(payload: Any, kind: Kind, *, is_valid: bool) -> tuple[Any, dict[Path, Any]]:
    """Return the payload with placeholders, and a dict that maps the paths of secret fields to their values.

    If a payload does not match its schema, the whole payload is treated as one secret value.
    """
    if not kind.secret_fields:
        return payload, {}
    if not is_valid:
        return PLACEHOLDER, {(): payload}
    found = find_values(payload, kind.secret_fields)
    # If a secret field is inside another secret field, the outer field is encrypted as a whole.
    values = {path: found[path] for path in found if not any(path[:end] in found for end in range(len(path)))}
    return replace_values(payload, list(values), lambda _path: PLACEHOLDER), values


def to_bytes(values: dict[Path, Any]) -> bytes:
    """Return the secret values in the form that is encrypted. A value that JSON cannot represent becomes a text."""
    try:
        return json.dumps([[path, tag(value)] for path, value in values.items()]).encode()
    except Exception:  # noqa: BLE001 - a payload may contain any object
        return json.dumps([[path, to_text(value)] for path, value in values.items()]).encode()


def encrypt(content: bytes, *, failure_id: UUID) -> bytes:
    """Encrypt bytes for a failure of the current tenant."""
    key = encryption.derive_key(_KEY_PURPOSE)
    return encryption.encrypt(content, key=key, associated_data=_associated_data(failure_id))


def digest(content: bytes) -> bytes:
    """Return a keyed digest, so that nobody without SECRET_KEY can find short secrets by trial and error."""
    return hmac.digest(encryption.derive_key(_DIGEST_PURPOSE), content, hashlib.sha256)


def merge(payload: Any, failure: Failure) -> Any:
    """Return the payload with the failure's secret values in place of the placeholders.

    If a person has corrected the payload, the secret values of the last correction are used. If a person has
    replaced a placeholder by a new value, the new value is kept. Raises FailureNotRetryable if the secrets
    cannot be decrypted.
    """
    is_corrected = failure.corrected_payload is not None
    values = decrypt(failure.corrected_secrets if is_corrected else failure.secrets, failure_id=failure.id)
    replaced = [path for path in values if _has_placeholder(payload, path)]
    return replace_values(payload, replaced, values.__getitem__)


def decrypt(secrets: bytes | memoryview | None, *, failure_id: UUID) -> dict[Path, Any]:
    """Return a dict that maps the paths of a failure's secret fields to their decrypted values.

    Raises FailureNotRetryable if the values cannot be decrypted.
    """
    if secrets is None:
        return {}
    try:
        content = encryption.decrypt(
            bytes(secrets),
            key=encryption.derive_key(_KEY_PURPOSE),
            associated_data=_associated_data(failure_id),
        )
    except InvalidTag:
        raise FailureNotRetryable(
            _(
                "The secret values of the payload cannot be decrypted, because SECRET_KEY has changed or the hotel is "
                "a copy of another hotel. Do the work manually, and then discard the failure."
            )
        ) from None
    return {tuple(path): untag(value) for path, value in json.loads(content)}


def hidden_texts(payload: Any, kind: Kind, *, is_valid: bool = True) -> list[str]:
    """Return the personal and secret values of the payload that an error text must not contain, longest first."""
    is_secret = kind.secret_fields and not is_valid
    values = find_values(payload, [*kind.personal_fields, *kind.secret_fields]).values()
    try:
        found = {text for value in ([payload] if is_secret else values) for text in _texts(value)}
    except Exception:  # noqa: BLE001 - a payload may contain any object, and be nested to any depth
        return []
    return sorted((text for text in found if len(text) >= _MIN_HIDDEN_LENGTH), key=len, reverse=True)


def _texts(value: Any) -> Collection[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for item in value.values() for text in _texts(item)]
        case list() | tuple():
            return [text for item in value for text in _texts(item)]
        case None | bool():
            return []
        case _:
            return [str(value)]


def _has_placeholder(payload: Any, path: Path) -> bool:
    for key in path:
        try:
            payload = payload[key]
        except (KeyError, IndexError, TypeError):
            return False
    return bool(payload == PLACEHOLDER)


def _associated_data(failure_id: UUID) -> bytes:
    hotel_id = current_tenant().id
    return (hotel_id.bytes if hotel_id else b"platform") + failure_id.bytes

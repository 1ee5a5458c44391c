"""Conversion of payloads to the form in which they are stored, and back.

JSON has no type for UUIDs, dates, decimals and bytes. They are stored as `{"__type__": ..., "__value__": ...}`, as in
Celery's messages, so a retry gets the same values. PostgreSQL's jsonb rejects or changes some values that Python's JSON
can hold: NUL, lone surrogates, NaN, infinities and large floats. A payload with such a value is stored twice: exactly,
as bytes, and readably, with replacements.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from kombu.utils.json import JSONEncoder, object_hook

from dlq.errors import FailureNotRetryable
from dlq.kinds.registry import find_kind
from dlq.kinds.schemas import SchemaProblem, find_problems
from dlq.models import OPEN_STATUSES, Failure

JSON_TYPE = "application/json"
#: The media type of a payload that is stored only as text, from which the payload cannot be restored.
TEXT_TYPE = "text/plain"

_TAG = frozenset({"__type__", "__value__"})
#: The tag of a dict whose keys JSON would change, or that looks like a tag. Its value is a list of pairs.
_PAIRS = "pairs"


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """A payload in the form in which it is stored.

    `readable` is the JSON that staff see. If `readable` differs from the payload, `original` contains the payload with
    the media type `original_type`. Otherwise `original` is None.
    """

    readable: dict[str, Any]
    original: bytes | None = None
    original_type: str = ""


def to_stored(payload: dict[str, Any] | StoredPayload) -> StoredPayload:
    """Return the payload in its stored form, as text if JSON cannot represent it. Never raises an exception."""
    if isinstance(payload, StoredPayload):
        return payload
    try:
        tagged = _tag(payload)
        readable = _readable(tagged)
    except (TypeError, ValueError, RecursionError):
        return StoredPayload(
            {"text": _valid_text(_text(payload))}, _text(payload).encode("utf-8", "replace"), TEXT_TYPE
        )
    if readable == tagged:
        return StoredPayload(readable)
    return StoredPayload(readable, json.dumps(tagged).encode(), JSON_TYPE)


def restore(failure: Failure) -> Any:
    """Return the payload of the failure as it was captured. Raises FailureNotRetryable if it cannot be restored."""
    if failure.original is None:
        return _untag(failure.payload)
    if failure.original_type != JSON_TYPE:
        raise FailureNotRetryable(
            _(
                "The payload cannot be restored. Do the work again in another way, and then discard the failure."
            )
        )
    return _untag(json.loads(bytes(failure.original)))


def find_payload_problems(failure: Failure) -> list[SchemaProblem]:
    """Return why an open failure has no valid payload, or an empty list. Closed failures need no payload."""
    kind = find_kind(failure.name)
    if kind.schema is None or failure.status not in OPEN_STATUSES:
        return []
    try:
        return find_problems(kind, restore(failure))
    except FailureNotRetryable as error:
        return [SchemaProblem("", error.detail)]


def _tag(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_tag(item) for item in value]
        case dict() if value.keys() == _TAG or not all(type(key) is str for key in value):
            return {"__type__": _PAIRS, "__value__": [[_tag(key), _tag(item)] for key, item in value.items()]}
        case dict():
            return {key: _tag(item) for key, item in value.items()}
        case _:
            return JSONEncoder().default(value)


def _untag(value: Any) -> Any:
    match value:
        case list():
            return [_untag(item) for item in value]
        case {"__type__": "pairs", "__value__": pairs} if len(value) == len(_TAG):
            return {_untag(key): _untag(item) for key, item in pairs}
        case dict() if value.keys() == _TAG:
            return object_hook(value)
        case dict():
            return {key: _untag(item) for key, item in value.items()}
        case _:
            return value


def _readable(value: Any) -> Any:
    """Return a copy of a JSON value in which the parts that jsonb rejects or changes are replaced."""
    match value:
        case str():
            return _valid_text(value)
        case float() if not math.isfinite(value) or (value.is_integer() and "e" in repr(value)):
            return str(value)
        case list():
            return [_readable(item) for item in value]
        case dict():
            return {_valid_text(key): _readable(item) for key, item in value.items()}
        case _:
            return value


def _valid_text(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _text(payload: Any) -> str:
    try:
        return repr(payload)
    except Exception as error:  # noqa: BLE001 - any object may be in the payload
        return f"<{type(payload).__name__}: {type(error).__name__}>"

"""Conversion of event fields to the stored form: JSON of limited size, without text that PostgreSQL refuses."""

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from audit.entries import MAX_ENTRY_BYTES
from audit.registry import EventType
from hotelagent.core.text import storable

#: This text is stored instead of the value of a secret field.
SECRET_MASK = "********"  # noqa: S105 - not a password
#: The key in `data` under which the names of shortened fields are stored.
CUT_FIELD = "cut"
#: This text is added to the end of a value that was shortened.
CUT_MARK = "…"
SALT_BYTES = 16
#: The maximum size of all fields of an event together, in bytes. The other columns of the event take less than 8 KiB.
MAX_FIELDS_BYTES = MAX_ENTRY_BYTES - 8 * 1024

_encoder = DjangoJSONEncoder()
# The encoder is created once, because json.dumps() would create a new JSON encoder for each event.
_encode = json.JSONEncoder(ensure_ascii=False).encode


def clean(value: object) -> Any:
    """Convert a value to JSON that PostgreSQL can store.

    Dates, times, ids and numbers with a fraction become strings. Raises TypeError for values that have no JSON form.
    """
    match value:
        case None | bool() | int():
            return value
        case str() | float():
            return storable(str(value))
        case Mapping():
            return {storable(str(name)): clean(member) for name, member in value.items()}
        case list() | tuple() | set() | frozenset():
            return [clean(element) for element in value]
        case _:
            return clean(_encoder.default(value))


def split_fields(
    event_type: EventType, values: Mapping[str, object]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Convert the fields of an event, and return the plain fields and the personal fields separately.

    The values are cleaned and shortened to the maximum size. Secret values are masked. Raises InvalidEventFields unless
    `values` has exactly the fields of the event type.
    """
    event_type.check_fields(values)
    fields = {
        name: SECRET_MASK if name in event_type.secret else clean(value) for name, value in values.items()
    }
    cut = _limit(fields)
    personal = {name: fields.pop(name) for name in event_type.personal}
    if cut:
        fields[CUT_FIELD] = cut
    return fields, personal


def _limit(fields: dict[str, Any]) -> list[str]:
    """Shorten the longest values until all fields together have at most MAX_FIELDS_BYTES. Return the names of these
    fields.

    A value that is not a text is replaced by the beginning of its JSON text.
    """
    if _size(fields) <= MAX_FIELDS_BYTES:
        return []
    share = MAX_FIELDS_BYTES // len(fields)
    cut = sorted(name for name, value in fields.items() if _size(name) + _size(value) > share)
    for name in cut:
        value = fields[name]
        text = value if isinstance(value, str) else _encode(value)
        fields[name] = _cut_text(text, share - _size(name) - _size(CUT_MARK))
    return cut


def _cut_text(text: str, size: int) -> str:
    # Escaped characters take more bytes in JSON than in the text, so the size of the JSON text is checked.
    shortened = text.encode()[:size].decode(errors="ignore")
    while _size(shortened) > size:
        shortened = shortened[: len(shortened) * 7 // 8]
    return shortened + CUT_MARK


def _size(value: object) -> int:
    return len(_encode(value).encode())


def add_salts(personal: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Add a new random salt to each personal field, so that its stored hash does not reveal the value.

    Return None if there are no fields.
    """
    if not personal:
        return None
    return {
        name: {"salt": base64.b64encode(os.urandom(SALT_BYTES)).decode(), "value": value}
        for name, value in personal.items()
    }

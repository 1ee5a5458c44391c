"""The values of event fields in the form in which the trail stores them: JSON of limited size, without invalid text."""

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from audit.entries import MAX_ENTRY_BYTES
from audit.registry import EventType
from hotelagent.core.text import storable

#: Stored instead of the value of a secret field.
SECRET_MASK = "********"  # noqa: S105 - not a password
#: The field of `data` with the names of the fields whose values were cut.
CUT_FIELD = "cut"
#: Added to a value that was cut.
CUT_MARK = "…"
SALT_BYTES = 16
#: The maximum size in bytes of all fields of an event. The rest of the entry takes less than 8 KiB.
MAX_FIELDS_BYTES = MAX_ENTRY_BYTES - 8 * 1024

_encoder = DjangoJSONEncoder()


def clean(value: object) -> Any:
    """Return the value as JSON that PostgreSQL can store.

    Dates, times and ids become strings, and numbers with a fraction become strings too. Raises TypeError for values
    that have no JSON form.
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
    """Return the plain fields and the personal fields of an event, cleaned and limited. Secret values are masked."""
    fields = {
        name: SECRET_MASK if name in event_type.secret else clean(value) for name, value in values.items()
    }
    cut = limit(fields)
    personal = {name: fields.pop(name) for name in event_type.personal}
    if cut:
        fields[CUT_FIELD] = cut
    return fields, personal


def limit(fields: dict[str, Any]) -> list[str]:
    """Cut the longest values, so that all fields have at most MAX_FIELDS_BYTES. Return the names of the cut fields.

    A value that is not a text is replaced by the beginning of its JSON text.
    """
    sizes = {name: _size(value) + _size(name) for name, value in fields.items()}
    if sum(sizes.values()) <= MAX_FIELDS_BYTES:
        return []
    share = MAX_FIELDS_BYTES // len(fields)
    cut = sorted(name for name, size in sizes.items() if size > share)
    for name in cut:
        value = fields[name]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        fields[name] = _cut_text(text, share - _size(name) - _size(CUT_MARK))
    return cut


def _cut_text(text: str, size: int) -> str:
    # Escaped characters have more bytes in JSON than in the text, so the size in JSON decides.
    shortened = text.encode()[:size].decode(errors="ignore")
    while _size(shortened) > size:
        shortened = shortened[: len(shortened) * 7 // 8]
    return shortened + CUT_MARK


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def add_salts(personal: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Return the personal fields as they are stored, each with a new random salt, or None if there are no fields."""
    if not personal:
        return None
    return {
        name: {"salt": base64.b64encode(os.urandom(SALT_BYTES)).decode(), "value": value}
        for name, value in personal.items()
    }

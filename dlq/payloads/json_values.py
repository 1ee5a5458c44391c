"""Conversion of Python values to JSON that jsonb can store, and back.

JSON has no type for UUIDs, dates, decimals and bytes. Such values are stored as
`{"__type__": ..., "__value__": ...}`, as in Celery's messages, so a retry gets the same values. PostgreSQL's jsonb
rejects or changes some values that Python's JSON can hold: NUL, lone surrogates, NaN, infinities and large floats.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from kombu.utils.json import JSONEncoder, object_hook

from hotelagent.core.text import storable

_TAG = frozenset({"__type__", "__value__"})
#: The `__type__` of a dict that JSON would change, or that has the keys of `_TAG`. Its `__value__` is a list of pairs.
_PAIRS = "pairs"
#: The maximum length of an integer in bits, which is about 4,214 decimal digits.
#: Python refuses to write integers of more than 4,300 decimal digits.
_MAX_INTEGER_BITS = 14_000


def tag(value: Any) -> Any:
    """Return the value as JSON, with a tag for each type that JSON does not have.

    Raises an exception if JSON cannot represent the value, or if the value is nested too deeply.
    """
    match value:
        case None | bool() | float() | str():
            return value
        case int() if value.bit_length() > _MAX_INTEGER_BITS:
            raise ValueError("The integer has too many digits.")
        case int():
            return value
        case list() | tuple():
            return [tag(item) for item in value]
        case dict() if value.keys() == _TAG or not all(type(key) is str for key in value):
            return {"__type__": _PAIRS, "__value__": [[tag(key), tag(item)] for key, item in value.items()]}
        case dict():
            return {key: tag(item) for key, item in value.items()}
        case _:
            return JSONEncoder().default(value)


def untag(value: Any) -> Any:
    """Convert the result of `tag` back to the original value. Tuples become lists."""
    match value:
        case list():
            return [untag(item) for item in value]
        case {"__type__": "pairs", "__value__": pairs} if len(value) == len(_TAG):
            return {untag(key): untag(item) for key, item in pairs}
        case dict() if value.keys() == _TAG:
            return object_hook(value)
        case dict():
            return {key: untag(item) for key, item in value.items()}
        case _:
            return value


def readable(value: Any) -> Any:
    """Return a copy of a JSON value in which the parts that jsonb rejects or changes are replaced."""
    match value:
        case str():
            return storable(value)
        case float() if not math.isfinite(value) or (value.is_integer() and "e" in repr(value)):
            return str(value)
        case list():
            return [readable(item) for item in value]
        case dict():
            return {storable(key): readable(item) for key, item in value.items()}
        case _:
            return value


@dataclass(frozen=True, slots=True)
class _Written:
    """A part of the written JSON text. `ends` is the id of the dict or list that this part completes, or 0."""

    text: str
    ends: int = 0


def to_text(value: Any) -> str:
    """Return a text in the form of JSON, even for values that JSON cannot represent. Never raises an exception.

    The function is not recursive, so the value can be nested more deeply than Python's stack allows.
    """
    written: list[str] = []
    containers: set[int] = set()
    remaining: list[Any] = [value]
    while remaining:
        item = remaining.pop()
        if isinstance(item, _Written):
            written.append(item.text)
            containers.discard(item.ends)
        elif not isinstance(item, dict | list | tuple):
            written.append(_scalar_text(item))
        elif id(item) in containers:
            written.append('"<circular reference>"')
        else:
            containers.add(id(item))
            remaining.extend(reversed(_parts(item)))
    return "".join(written)


def _parts(container: Any) -> list[Any]:
    is_object = isinstance(container, dict)
    parts: list[Any] = [_Written("{" if is_object else "[")]
    for number, item in enumerate(container.items() if is_object else container):
        if number:
            parts.append(_Written(", "))
        if is_object:
            parts += [_Written(f"{_scalar_text(item[0])}: "), item[1]]
        else:
            parts.append(item)
    parts.append(_Written("}" if is_object else "]", ends=id(container)))
    return parts


def _scalar_text(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > _MAX_INTEGER_BITS:
        return hex(value)
    try:
        return json.dumps(value, cls=JSONEncoder)
    except Exception:  # noqa: BLE001 - any object may be in the payload
        return json.dumps(_representation(value))


def _representation(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - an object may run any code when it is represented
        return f"<{type(value).__name__}: {type(error).__name__}>"

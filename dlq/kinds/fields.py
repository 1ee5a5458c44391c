"""Paths of payload fields. Kinds of failures declare their personal and secret fields as paths.

A path consists of keys that are separated by dots, for example `guest.email`. A number is the position in a list, and
`*` stands for all items of a list or all values of an object: `args.0`, `guests.*.email`. Keys that contain a dot
cannot be addressed.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

Path = tuple[str | int, ...]


def overlaps(parts: Sequence[str], keys: Sequence[str | int]) -> bool:
    """Return whether two fields are the same field, or one of them contains the other.

    `parts` is the declared path of a field, split at the dots. `keys` are the keys and positions of the other field.
    """
    return all(part in {"*", str(key)} for part, key in zip(parts, keys, strict=False))


def find_values(payload: Any, fields: Sequence[str]) -> dict[Path, Any]:
    """Return the values of the declared fields in a payload. The keys of the result are the paths of the values.

    A path consists of the object keys and list positions that lead to a value. Missing fields are left out.
    """
    return {path: value for field in fields for path, value in _find(payload, field.split("."), ())}


def _find(value: Any, parts: list[str], path: Path) -> Iterator[tuple[Path, Any]]:
    if not parts:
        yield path, value
        return
    for key, item in _items(value):
        if parts[0] == "*" or parts[0] == str(key):
            yield from _find(item, parts[1:], (*path, key))


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def replace_values(payload: Any, paths: Sequence[Path], replacement: Callable[[Path], Any]) -> Any:
    """Return a copy of the payload in which the value at each path is replaced by `replacement(path)`.

    All paths must exist in the payload. The copy and the payload share the values at all other paths.
    """
    for path in paths:
        payload = _replace(payload, path, replacement(path))
    return payload


def _replace(value: Any, path: Path, replacement: Any) -> Any:
    if not path:
        return replacement
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replace(copy[path[0]], path[1:], replacement)
    return copy


def mask(payload: Any, fields: Sequence[str], *, text: str) -> Any:
    """Return a copy of the payload in which the values of the fields are replaced by a text."""
    return replace_values(payload, list(find_values(payload, fields)), lambda _path: text)

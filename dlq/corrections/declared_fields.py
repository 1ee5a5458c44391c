"""Queries about payload fields: does the kind of the failure declare a field as open, personal or secret?

A field is identified by the keys and list positions that lead to it. A field is open if the JSON Schema of the kind
declares it and the kind declares it as neither personal nor secret. Only the values of open fields are shown without
the permission to view payloads, and recorded in the audit trail.
"""

from collections.abc import Sequence
from typing import Any

from dlq.kinds.fields import mask, overlaps
from dlq.kinds.registry import Kind
from dlq.payloads.secret_fields import PLACEHOLDER
from hotelagent.core.redaction import redact_text

#: The text that is shown instead of a masked value.
MASK = "•••"
#: Values that are nested more deeply than this number of levels in a payload are always masked.
MAX_DEPTH = 50

Keys = Sequence[str | int]


def resolve(schema: Any, *, root: Any) -> dict[str, Any]:
    """Return the schema, or the definition in the root schema that the schema's `$ref` names.

    Return {} if the schema is not an object or if the definition cannot be found.
    """
    for _level in range(10):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if reference is None:
            break
        schema = root
        for name in str(reference).removeprefix("#").split("/")[1:]:
            schema = schema.get(name, {}) if isinstance(schema, dict) else {}
    return schema if isinstance(schema, dict) else {}


def child_schema(schema: dict[str, Any], key: str | int, *, root: Any) -> dict[str, Any] | None:
    """Return the schema of the property or list item `key`, or None if `schema` does not declare it.

    `schema` is the schema of the object or list that contains the property or list item.
    """
    if str(key) in schema.get("properties", {}):
        return resolve(schema["properties"][str(key)], root=root)
    if not str(key).isdecimal():
        return None
    positional = schema.get("prefixItems", [])
    if int(key) < len(positional):
        return resolve(positional[int(key)], root=root)
    items = schema.get("items")
    return resolve(items, root=root) if isinstance(items, dict) else None


def field_schema(kind: Kind, keys: Keys) -> dict[str, Any] | None:
    """Return the schema of the field, or None if the kind of failure does not declare the field."""
    schema: dict[str, Any] | None = resolve(kind.schema, root=kind.schema) if kind.schema else None
    for key in keys:
        if schema is None:
            return None
        schema = child_schema(schema, key, root=kind.schema)
    return schema


def is_secret(kind: Kind, keys: Keys) -> bool:
    return _is_within(kind.secret_fields, keys)


def is_open(kind: Kind, keys: Keys) -> bool:
    """Return whether the value of the field is shown to people without the permission to view payloads.

    The value is shown if the schema declares the field, and the field is not part of a personal or secret field.
    """
    hidden = _is_within([*kind.personal_fields, *kind.secret_fields], keys)
    return not hidden and field_schema(kind, keys) is not None


def _is_within(fields: Sequence[str], keys: Keys) -> bool:
    return any(len(parts) <= len(keys) and overlaps(parts, keys) for parts in map(_parts, fields))


def _parts(field: str) -> list[str]:
    return field.split(".")


def mask_secrets(kind: Kind, value: Any, keys: Keys = ()) -> Any:
    """Return a copy of the value in which secret fields are replaced by `PLACEHOLDER`.

    `keys` is the path of the value in the payload. A payload usually contains no secret values, because they are stored
    in `Failure.secrets`. A payload can contain secret values if the kind declared a field as secret after the failure
    was captured.
    """
    if is_secret(kind, keys):
        return PLACEHOLDER
    inside = [parts[len(keys) :] for parts in map(_parts, kind.secret_fields) if overlaps(parts, keys)]
    return mask(value, [".".join(parts) for parts in inside], text=PLACEHOLDER)


def mask_all_but_open(kind: Kind, payload: Any, keys: Keys = ()) -> Any:
    """Return a copy of the payload that keeps only the values of open fields (neither personal nor secret).

    All other values are replaced by `MASK`. Field names that the schema does not declare are redacted, because such
    names can contain personal data.
    """
    if len(keys) < MAX_DEPTH:
        match payload:
            case dict():
                return {
                    public_key(kind, (*keys, key)): mask_all_but_open(kind, item, (*keys, key))
                    for key, item in payload.items()
                }
            case list():
                return [
                    mask_all_but_open(kind, item, (*keys, position)) for position, item in enumerate(payload)
                ]
    is_shown = is_open(kind, keys) or payload == PLACEHOLDER
    return payload if is_shown else MASK


def public_key(kind: Kind, keys: Keys) -> str:
    """Return the last key of the path. A key that the schema does not declare is redacted."""
    key = str(keys[-1])
    return key if field_schema(kind, keys) is not None else redact_text(key)


def public_pointer(kind: Kind, keys: Keys) -> str:
    """Return a JSON Pointer to the field. Names that the schema does not declare are redacted."""
    return pointer([public_key(kind, keys[: position + 1]) for position in range(len(keys))])


def pointer(keys: Keys) -> str:
    """Return the JSON Pointer (RFC 6901) that the keys and positions form."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def keys_of(pointer: str) -> list[str]:
    """Return the keys of a JSON Pointer (RFC 6901)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]

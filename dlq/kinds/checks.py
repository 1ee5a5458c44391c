"""Django system checks of the declared kinds of failures."""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from jsonschema import Draft202012Validator, SchemaError

from dlq.kinds.registry import Kind, declared_kinds
from dlq.policy import MAX_AGE

_PATH = re.compile(r"[^.\s]+(\.[^.\s]+)*")


@register("dlq")
def check_kinds(**_kwargs: Any) -> list[CheckMessage]:
    """Check that the JSON Schemas, fields, delays and time limits of all kinds of failures are valid."""
    return [message for kind in declared_kinds() for message in _check_kind(kind)]


def _check_kind(kind: Kind) -> Iterator[CheckMessage]:
    if kind.schema is not None:
        yield from _check_schema(kind, kind.schema)
    for field in (*kind.personal_fields, *kind.secret_fields):
        if not _PATH.fullmatch(field):
            yield Error(
                f"The kind {kind.name} declares the field {field!r}, which is not a valid path.",
                hint="Write keys separated by dots, such as 'guest.email' or 'args.0'. '*' stands for all items.",
                id="dlq.E003",
            )
        elif kind.schema is not None and not _declares(kind.schema, field.split(".")):
            yield Error(
                f"The kind {kind.name} declares the field {field!r}, but its schema has no such field.",
                hint="Correct the path, or add the field to the schema.",
                id="dlq.E004",
            )
    if any(delay <= 0 for delay in kind.delays) or sum(kind.delays) >= MAX_AGE.total_seconds():
        yield Error(
            f"The delays of the kind {kind.name} are not valid: {list(kind.delays)}.",
            hint=f"Each delay must be positive. Their sum must be less than {MAX_AGE.days} days.",
            id="dlq.E005",
        )
    longest = settings.CELERY_TASK_SOFT_TIME_LIMIT
    if kind.time_limit is not None and not 0 < kind.time_limit <= longest:
        yield Error(
            f"The time limit of the kind {kind.name} is not valid: {kind.time_limit} seconds.",
            hint=f"Set it to at most {longest} seconds (CELERY_TASK_SOFT_TIME_LIMIT), or to None for that limit.",
            id="dlq.E006",
        )


def _check_schema(kind: Kind, schema: dict[str, Any]) -> Iterator[CheckMessage]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield Error(
            f"The JSON Schema of the kind {kind.name} is not valid at {error.json_path}: {error.message}",
            hint="Correct the schema. It must follow the draft 2020-12 of JSON Schema.",
            id="dlq.E001",
        )
    if any(not str(reference).startswith("#") for reference in _references(schema)):
        yield Error(
            f"The JSON Schema of the kind {kind.name} refers to another document.",
            hint="Move the definition into the schema, for example to '$defs', and refer to it with '#/$defs/...'.",
            id="dlq.E002",
        )


def _references(schema: Any) -> Iterator[Any]:
    match schema:
        case dict():
            for key, value in schema.items():
                if key in {"$ref", "$dynamicRef"}:
                    yield value
                yield from _references(value)
        case list():
            for value in schema:
                yield from _references(value)


def _declares(schema: Any, parts: list[str]) -> bool:
    """Return whether the schema allows a field with this path.

    A schema that does not declare the contents of an object or list allows every field in it.
    """
    if (
        not parts
        or not isinstance(schema, dict)
        or not schema.keys() & {"properties", "items", "prefixItems"}
    ):
        return True
    properties, items = schema.get("properties", {}), schema.get("prefixItems", [])
    if parts[0] == "*":
        candidates = [*properties.values(), *items, schema.get("items", False)]
    elif parts[0] in properties:
        candidates = [properties[parts[0]]]
    elif parts[0].isdecimal() and int(parts[0]) < len(items):
        candidates = [items[int(parts[0])]]
    else:
        candidates = [schema.get("items", False)] if parts[0].isdecimal() else []
    return any(candidate is not False and _declares(candidate, parts[1:]) for candidate in candidates)

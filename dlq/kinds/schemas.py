"""The validation of payloads against JSON Schemas.

The error messages contain no values of the payload.
"""

import datetime
import decimal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.utils.translation import gettext_noop as _
from jsonschema import ValidationError

from dlq.kinds.registry import Kind
from hotelagent.core.messages import TranslatableMessage

#: The maximum number of problems that are reported for a payload.
MAX_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """A part of a payload that does not match its schema.

    `field` is the path of the part, for example `guests.0.email`. `field` is empty if the part is the whole payload.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def find_problems(kind: Kind, payload: Any) -> list[SchemaProblem]:
    """Return the problems of a payload of this kind, or an empty list if the payload matches the schema.

    The messages contain no value of the payload, because the values can be personal or secret. For the same reason, the
    messages contain no key that the schema does not declare. Never raises an exception.
    """
    if kind.validator is None:
        return []
    try:
        errors = islice(kind.validator.iter_errors(_plain(payload)), MAX_PROBLEMS)
        problems = [problem for error in errors for problem in _problems(error, _declared_names(kind.schema))]
    except Exception:  # noqa: BLE001 - the payload may contain anything, for example 10,000 nested lists
        return [
            SchemaProblem(
                "",
                TranslatableMessage(
                    _("The payload could not be checked. The payload may be nested too deeply.")
                ),
            )
        ]
    return list(dict.fromkeys(problems))


def errors_by_field(problems: list[SchemaProblem]) -> dict[str, list[str]]:
    """Return the problems in the format of the property `errors` of a problem document.

    Problems of the payload as a whole have the key "payload".
    """
    errors: dict[str, list[str]] = {}
    for problem in problems:
        errors.setdefault(problem.field or "payload", []).append(str(problem.message))
    return errors


def _plain(value: Any) -> Any:
    """Return the value as plain JSON: tuples become lists, and UUIDs, dates, decimals and bytes become strings."""
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case uuid.UUID() | decimal.Decimal() | bytes():
            return str(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return value


def _declared_names(schema: Any) -> frozenset[str]:
    """Return the names of all properties that the schema declares."""
    if isinstance(schema, list):
        return frozenset().union(*map(_declared_names, schema))
    if not isinstance(schema, dict):
        return frozenset()
    names = schema["properties"] if isinstance(schema.get("properties"), dict) else {}
    return frozenset(names).union(*map(_declared_names, schema.values()))


def _problems(error: ValidationError, declared: frozenset[str]) -> Iterator[SchemaProblem]:
    path = [str(key) if isinstance(key, int) or key in declared else "*" for key in error.absolute_path]
    rule = error.validator_value
    match error.validator:
        case "required":
            for name in rule:
                if name not in error.instance:
                    yield SchemaProblem(
                        ".".join([*path, name]), TranslatableMessage(_("This value is required."))
                    )
            return
        case "type":
            types = ", ".join(rule) if isinstance(rule, list) else rule
            message = TranslatableMessage(_("The value must have the type {type}."), type=types)
        case "enum":
            values = ", ".join(map(str, rule))
            message = TranslatableMessage(_("The value must be one of these: {values}."), values=values)
        case "format":
            message = TranslatableMessage(_("The value must have the format {format}."), format=rule)
        case "additionalProperties" | "unevaluatedProperties":
            message = TranslatableMessage(_("Remove the fields that the schema does not allow."))
        case "anyOf" | "oneOf":
            message = TranslatableMessage(
                _("The value must match one of the alternatives that the schema allows.")
            )
        case _ if isinstance(rule, str | int | float):
            message = TranslatableMessage(
                _("The value must satisfy the rule {rule}."), rule=f"{error.validator}={rule}"
            )
        case _:
            message = TranslatableMessage(
                _("The value must satisfy the rule {rule}."), rule=str(error.validator)
            )
    yield SchemaProblem(".".join(path), message)

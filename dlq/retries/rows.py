"""Conversion of a row of failures that a database function returned as JSON to a model instance."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS, models

from dlq.models import Failure

# The names of the fields of failures are also the names of the columns.
_FIELDS = {field.attname: field for field in Failure._meta.concrete_fields}


def failure_from_json(row: dict[str, Any]) -> Failure:
    """Return the failure whose columns are in the JSON object."""
    values = [_to_python(field, row[name]) for name, field in _FIELDS.items()]
    failure: Failure = Failure.from_db(DEFAULT_DB_ALIAS, list(_FIELDS), values)
    return failure


def _to_python(field: models.Field[Any, Any], value: Any) -> Any:
    if isinstance(field, models.BinaryField) and value is not None:
        return bytes.fromhex(value.removeprefix("\\x"))  # the text format of bytea
    return field.to_python(value)

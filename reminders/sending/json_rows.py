"""Conversion of JSON rows, which the project's database functions return, to Django model instances."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Generic, TypeVar

from django.db.models import DateField, DateTimeField, Field, Model, TimeField, UUIDField

M = TypeVar("M", bound=Model)

#: The parsers for field types that JSON lacks. DateTimeField is first because it is a subclass of DateField.
_PARSERS: list[tuple[type[Field[Any, Any]], Callable[[str], Any]]] = [
    (UUIDField, uuid.UUID),
    (DateTimeField, datetime.fromisoformat),
    (DateField, date.fromisoformat),
    (TimeField, time.fromisoformat),
]


class JsonRows(Generic[M]):
    """A converter from the JSON rows of one table to model instances. Missing columns become deferred fields."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._parsers = {field.attname: _parser_of(field) for field in model._meta.concrete_fields}

    def instance(self, row: Mapping[str, Any]) -> M:
        """Return the row as a model instance. Django treats the instance as if it were loaded from the database."""
        names = [name for name in self._parsers if name in row]
        return self._model.from_db("default", names, [self._value(name, row[name]) for name in names])

    def _value(self, name: str, value: Any) -> Any:
        parser = self._parsers[name]
        return value if parser is None or value is None else parser(value)


def _parser_of(field: Field[Any, Any]) -> Callable[[str], Any] | None:
    # A foreign key has the type of the column to which it refers, so it is parsed like that column.
    stored: Any = getattr(field, "target_field", field)
    return next((parser for field_type, parser in _PARSERS if isinstance(stored, field_type)), None)

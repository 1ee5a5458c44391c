"""Helpers for our PostgreSQL functions, which take one jsonb argument and return one jsonb value."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Generic, LiteralString, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import BinaryField, DateField, DateTimeField, Field, Model, TimeField, UUIDField

M = TypeVar("M", bound=Model)

#: The parsers for field types that JSON lacks. DateTimeField is first because it is a subclass of DateField.
_PARSERS: list[tuple[type[Field[Any, Any]], Callable[[str], Any]]] = [
    (UUIDField, uuid.UUID),
    (DateTimeField, datetime.fromisoformat),
    (DateField, date.fromisoformat),
    (TimeField, time.fromisoformat),
    (BinaryField, lambda text: bytes.fromhex(text.removeprefix("\\x"))),  # PostgreSQL's text form
]


def call_function(function: LiteralString, argument: Mapping[str, Any]) -> Any:
    """Run `SELECT function('{...}')` for the current tenant and return the decoded result.

    The call does not use a Django cursor, because the cursor would double the duration of the call. Transactions and
    errors are the same as with a cursor.
    """
    text = json.dumps(argument)
    # The proxy django.db.connection is not used, because it looks up the connection again for each attribute.
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.execute_wrappers or connection.queries_logged:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [text])
            [result] = cursor.fetchone()
    else:
        connection.validate_thread_sharing()
        connection.validate_no_broken_transaction()
        connection.ensure_connection()
        with connection.wrap_database_errors:
            result = connection.connection.call_function(function, text)
    return None if result is None else json.loads(result)


class JsonRows(Generic[M]):
    """A converter for the rows that a database function returns as JSON. Each row becomes an instance of the model.

    A column that is missing in the JSON becomes a deferred field.
    """

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._parsers = {field.attname: _parser_of(field) for field in model._meta.concrete_fields}

    def instance(self, row: Mapping[str, Any]) -> M:
        """Return the row as a model instance. Django treats the instance as if it were loaded from the database."""
        names = [name for name in self._parsers if name in row]
        return self._model.from_db(DEFAULT_DB_ALIAS, names, [self._value(name, row[name]) for name in names])

    def _value(self, name: str, value: Any) -> Any:
        parser = self._parsers[name]
        return value if parser is None or value is None else parser(value)


def _parser_of(field: Field[Any, Any]) -> Callable[[str], Any] | None:
    # A foreign key has the type of the column to which it refers, so it is parsed like that column.
    stored: Any = getattr(field, "target_field", field)
    return next((parser for field_type, parser in _PARSERS if isinstance(stored, field_type)), None)

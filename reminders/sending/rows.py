"""Models made of rows that a function of ours answered with, as JSON."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Generic, TypeVar

from django.db.models import DateField, DateTimeField, Field, Model, TimeField, UUIDField

M = TypeVar("M", bound=Model)

#: What JSON has no word for. The first that fits: a DateTimeField is a DateField too.
_READERS: list[tuple[type[Field[Any, Any]], Callable[[str], Any]]] = [
    (UUIDField, uuid.UUID),
    (DateTimeField, datetime.fromisoformat),
    (DateField, date.fromisoformat),
    (TimeField, time.fromisoformat),
]


class Rows(Generic[M]):
    """`Rows(Rule).made(row)`: as Django would have read it. A column that is not in the row is read if it is used."""

    def __init__(self, model: type[M]) -> None:
        self.model = model
        self.readers = {field.attname: _reader(field) for field in model._meta.concrete_fields}

    def made(self, row: Mapping[str, Any]) -> M:
        names = [name for name in self.readers if name in row]
        values = []
        for name in names:
            value, read = row[name], self.readers[name]
            values.append(read(value) if read and value is not None else value)
        return self.model.from_db("default", names, values)


def _reader(field: Field[Any, Any]) -> Callable[[str], Any] | None:
    stored: Any = getattr(field, "target_field", field)  # a foreign key holds what it points to
    return next((read for kind, read in _READERS if isinstance(stored, kind)), None)

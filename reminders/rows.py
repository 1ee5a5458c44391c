"""Models made of rows that a statement of ours returned, where Django's own query would be one more message."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar

from django.db.models import Model

M = TypeVar("M", bound=Model)


class Rows(Generic[M]):
    """`Rows(Rule, of="u").columns` in the statement, `.made(row)` for each row of its result."""

    def __init__(self, model: type[M], *, of: str, but: Collection[str] = ()) -> None:
        """`of`: the table's name in the statement. `but`: columns that are left out, and read if they are used."""
        fields = [field for field in model._meta.concrete_fields if field.column not in but]
        self.model = model
        self.names = [field.attname for field in fields]
        self.columns = ", ".join(f'{of}."{field.column}"' for field in fields)

    def __len__(self) -> int:
        return len(self.names)

    def made(self, row: Sequence[Any]) -> M:
        return self.model.from_db("default", self.names, row)

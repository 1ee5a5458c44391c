"""Introspection of the current tenant's schema only. The schema `public`, which is also on the search path, is omitted.

`migrate` lists tables through this class. If a hotel has no django_migrations table, `migrate` must not find the one in
`public`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.postgresql.introspection import DatabaseIntrospection


class HotelIntrospection(DatabaseIntrospection):
    """Django's introspection, limited to the first schema of the search path."""

    @contextmanager
    def _own_schema(self) -> Iterator[None]:
        self.connection.ensure_connection()
        connection: Any = self.connection.connection
        previous = connection.own_schema_only
        connection.own_schema_only = True
        try:
            yield
        finally:
            connection.own_schema_only = previous

    def get_table_list(self, cursor: Any) -> Any:
        with self._own_schema():
            return super().get_table_list(cursor)

    def get_table_description(self, cursor: Any, table_name: str) -> Any:
        with self._own_schema():
            return super().get_table_description(cursor, table_name)

    def get_sequences(self, cursor: Any, table_name: str, table_fields: Any = ()) -> Any:
        with self._own_schema():
            return super().get_sequences(cursor, table_name, table_fields)

    def get_relations(self, cursor: Any, table_name: str) -> Any:
        with self._own_schema():
            return super().get_relations(cursor, table_name)

    def get_constraints(self, cursor: Any, table_name: str) -> Any:
        with self._own_schema():
            return super().get_constraints(cursor, table_name)

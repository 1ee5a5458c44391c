"""Introspection of the one schema of the current tenant, without the shared tables that stand behind it on the path.

`migrate` asks it which tables exist: a hotel's own django_migrations must not be found in `public`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.postgresql.introspection import DatabaseIntrospection


class HotelIntrospection(DatabaseIntrospection):
    @contextmanager
    def _own_schema(self) -> Iterator[None]:
        self.connection.ensure_connection()
        connection: Any = self.connection.connection
        before = connection.own_schema_only
        connection.own_schema_only = True
        try:
            yield
        finally:
            connection.own_schema_only = before

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

"""Introspection of the current tenant's schema only.

The schema `public`, which is also on the search path, is omitted, so that `migrate` does not find a hotel's missing
table in `public`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.postgresql.introspection import DatabaseIntrospection, TableInfo

from tenants.database import catalog, quoting

#: Django's own query returns the same rows, but is slower, because it examines the tables of all hotels.
_TABLES = f"""
SELECT c.relname,
    CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END,
    obj_description(c.oid, 'pg_class')
FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation
JOIN pg_catalog.pg_class c ON c.oid = relation.objid AND c.relkind IN ('f', 'm', 'p', 'r', 'v')
"""  # noqa: S608 - RELATIONS_OF_SCHEMA is a constant


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
            cursor.execute("SELECT current_schema()")
            (schema,) = cursor.fetchone()
            if schema is None:
                return []
            cursor.execute(_TABLES, {"schema": quoting.identifier(schema)})
            return [TableInfo(*row) for row in cursor.fetchall() if row[0] not in self.ignored_tables]

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

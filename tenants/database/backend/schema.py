"""Indexes made concurrently, which no transaction takes back: a migration that was ended in the middle goes on."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.schema import DatabaseSchemaEditor

_UNFINISHED = (
    "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE c.relname = %s AND c.relnamespace = current_schema()::regnamespace AND NOT i.indisvalid)"
)


class HotelSchemaEditor(DatabaseSchemaEditor):
    """Killed while it waited, the server ends the statement: with the index, which no migration has recorded,
    or, where the server was ended too, with an index that is not valid and that no query uses.
    """

    sql_create_index_concurrently = DatabaseSchemaEditor.sql_create_index_concurrently.replace(
        "CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS"
    )

    def add_index(self, model: Any, index: Any, concurrently: bool = False) -> None:
        if concurrently and not self.collect_sql and self._is_unfinished(index.name):
            self.remove_index(model, index, concurrently=True)
        super().add_index(model, index, concurrently=concurrently)

    def _is_unfinished(self, name: str) -> bool:
        with self.connection.cursor() as cursor:
            cursor.execute(_UNFINISHED, [name])
            return bool(cursor.fetchone()[0])

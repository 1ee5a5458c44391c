"""A schema editor that records its statements and can repeat an interrupted CREATE INDEX CONCURRENTLY."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.backends.postgresql.schema import DatabaseSchemaEditor

_HAS_INVALID_INDEX = (
    "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE c.relname = %s AND c.relnamespace = current_schema()::regnamespace AND NOT i.indisvalid)"
)

_recorded: ContextVar[list[str] | None] = ContextVar("recorded_schema_statements", default=None)


@contextmanager
def record_schema_statements() -> Iterator[list[str]]:
    """Yield a list. SQL statements that schema editors execute inside this context manager are added to the list."""
    statements: list[str] = []
    token = _recorded.set(statements)
    try:
        yield statements
    finally:
        _recorded.reset(token)


class HotelSchemaEditor(DatabaseSchemaEditor):
    """A schema editor that records its statements for other hotels, and can repeat an interrupted CREATE INDEX.

    If `migrate` is killed during CREATE INDEX CONCURRENTLY, the next `migrate` skips a complete index and rebuilds an
    invalid index.
    """

    sql_create_index_concurrently = DatabaseSchemaEditor.sql_create_index_concurrently.replace(
        "CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS"
    )

    def execute(self, sql: Any, params: Any = ()) -> None:
        super().execute(sql, params)
        statements = _recorded.get()
        if statements is not None and not self.collect_sql:
            statements.append(str(sql) if not params else self.connection.ops.compose_sql(str(sql), params))

    def add_index(self, model: Any, index: Any, concurrently: bool = False) -> None:
        if concurrently and not self.collect_sql and self._is_invalid(index.name):
            self.remove_index(model, index, concurrently=True)
        super().add_index(model, index, concurrently=concurrently)

    def _is_invalid(self, index: str) -> bool:
        with self.connection.cursor() as cursor:
            cursor.execute(_HAS_INVALID_INDEX, [index])
            return bool(cursor.fetchone()[0])

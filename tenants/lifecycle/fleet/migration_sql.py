"""The SQL that a migration sends, written without any database."""

from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.migrations.loader import MigrationLoader

from tenants.context import hotel_context, platform_context
from tenants.lifecycle import template


class _Editor(DatabaseSchemaEditor):
    """Begins no transaction, composes values by itself, and finds no constraint: each of these would connect.

    So what drops a constraint by its columns is missing from the text: that takes a moment, and is not judged.
    """

    def __enter__(self) -> "_Editor":
        self.deferred_sql: list[Any] = []
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        if exc_type is None:
            for statement in self.deferred_sql:
                self.execute(statement, None)

    def execute(self, sql: Any, params: Any = ()) -> None:
        values = tuple(self.quote_value(value) for value in params or ())
        text = (str(sql) % values if values else str(sql)).rstrip().removesuffix(";")
        self.collected_sql.append(text + ";")

    def _constraint_names(self, *_: Any, **__: Any) -> list[str]:
        return []


class _Offline(DatabaseWrapper):
    SchemaEditorClass = _Editor

    @cached_property
    def pg_version(self) -> int:
        return 150_000  # the oldest that we run on


def collect_statements(loader: MigrationLoader, key: tuple[str, str]) -> list[str]:
    """What the migration sends to the platform's schema and to a hotel's, each statement once.

    `loader` was made without a connection. What runs Python sends nothing that could be known before.
    """
    connection = _Offline(connections[DEFAULT_DB_ALIAS].settings_dict, DEFAULT_DB_ALIAS)
    migration = loader.graph.nodes[key]
    sent: dict[str, None] = {}
    for context in (platform_context(), hotel_context(template.TEMPLATE)):
        with context, connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            migration.apply(loader.project_state(key, at_end=False), editor, collect_sql=True)
        # Django's spelling of a default of now(). Both are stable, and who judges the text knows but one.
        sent |= dict.fromkeys(
            text.replace("(STATEMENT_TIMESTAMP())", "now()") for text in editor.collected_sql
        )
    return ["BEGIN;", *sent, "COMMIT;"] if migration.atomic else list(sent)

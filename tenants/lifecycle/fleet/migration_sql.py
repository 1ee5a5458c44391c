"""The SQL of a migration, collected without a database connection."""

from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.migrations.loader import MigrationLoader

from tenants.context import hotel_context, platform_context
from tenants.lifecycle.schema_template import TEMPLATE_TENANT


class _OfflineSchemaEditor(DatabaseSchemaEditor):
    """A Django schema editor that collects SQL without a database connection.

    Some DROP CONSTRAINT statements are missing, because Django reads the names of these constraints from the database.
    This is acceptable, because dropping a constraint never takes long.
    """

    def __enter__(self) -> "_OfflineSchemaEditor":
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


class _OfflineConnection(DatabaseWrapper):
    SchemaEditorClass = _OfflineSchemaEditor

    @cached_property
    def pg_version(self) -> int:
        return 150_000  # PostgreSQL 15, the oldest supported version


def collect_statements(loader: MigrationLoader, key: tuple[str, str]) -> list[str]:
    """Return the SQL statements that a migration runs in the platform's schema and in a hotel's schema.

    Duplicates are removed. `loader` must have been created without a connection. SQL that RunPython operations execute
    is not included.
    """
    connection = _OfflineConnection(connections[DEFAULT_DB_ALIAS].settings_dict, DEFAULT_DB_ALIAS)
    migration = loader.graph.nodes[key]
    statements: dict[str, None] = {}
    for context in (platform_context(), hotel_context(TEMPLATE_TENANT)):
        with context, connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            migration.apply(loader.project_state(key, at_end=False), editor, collect_sql=True)
        # Replace STATEMENT_TIMESTAMP(), Django's SQL for Now(), with now(), which squawk knows to be stable.
        statements |= dict.fromkeys(
            text.replace("(STATEMENT_TIMESTAMP())", "now()") for text in editor.collected_sql
        )
    return ["BEGIN;", *statements, "COMMIT;"] if migration.atomic else list(statements)

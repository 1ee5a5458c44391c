"""The migration operation that installs database functions from SQL files.

The functions of the app `locks`, for example, are in `locks/sql/<function>.sql`. Each function is installed once, in
the schema `public`, for all hotels. `manage.py make_sql_migration locks` writes a migration that contains a copy of
each changed file.
"""

# ruff: noqa: ARG002 - Django passes more to an operation than this one uses

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import router
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from tenants.database.placement import Placement


class InstallFunctions(Operation):
    """A migration operation that installs functions from the folder `functions/<migration>` in the app's migrations.

    `replaces` maps the name of each existing function to the migration that installed its previous version. Reversing
    the operation installs the previous version. A function without a previous version is kept, because triggers of
    other hotels may still call the function.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(
        self, migration: str, functions: Sequence[str], replaces: Mapping[str, str] | None = None
    ) -> None:
        self.migration = migration
        self.functions = functions
        self.replaces = replaces or {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Do nothing, because database functions are not part of Django's model state."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create the functions, or replace them, in the schema `public`."""
        self._install(app_label, schema_editor, dict.fromkeys(self.functions, self.migration))

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Install the versions of the functions that were installed before this migration operation."""
        self._install(app_label, schema_editor, self.replaces)

    def describe(self) -> str:
        """Return the description of this operation that `migrate --plan` shows."""
        return f"Install functions {', '.join(self.functions)}"

    def _install(self, app_label: str, schema_editor: Any, migrations: Mapping[str, str]) -> None:
        alias = schema_editor.connection.alias
        if router.allow_migrate(alias, app_label, placement=Placement.PLATFORM):
            for function, migration in migrations.items():
                schema_editor.execute(copy_path(app_label, migration, function).read_text(), params=None)


def sources(app_label: str) -> dict[str, str]:
    """Return the SQL text of each database function of the app, as a dict from the function's name to its text."""
    folder = Path(apps.get_app_config(app_label).path, "sql")
    return {file.stem: file.read_text() for file in sorted(folder.glob("*.sql"))}


def installing_migrations(app_label: str, loader: MigrationLoader) -> dict[str, str]:
    """Return a dict that maps each function of the app to the last migration that installs it."""
    installed = {}
    for label, name in sorted(loader.disk_migrations):
        if label == app_label:
            for operation in loader.disk_migrations[label, name].operations:
                if isinstance(operation, InstallFunctions):
                    installed.update(dict.fromkeys(operation.functions, operation.migration))
    return installed


def changed_functions(app_label: str, loader: MigrationLoader) -> list[str]:
    """Return the functions whose SQL file is new or differs from the copy that the last migration installs."""
    installed = installing_migrations(app_label, loader)
    return [
        function
        for function, text in sources(app_label).items()
        if function not in installed
        or copy_path(app_label, installed[function], function).read_text() != text
    ]


def copy_path(app_label: str, migration: str, function: str) -> Path:
    """Return the path of the migration's copy of the function's SQL file. The migration installs this copy."""
    return Path(apps.get_app_config(app_label).path, "migrations", "functions", migration, f"{function}.sql")

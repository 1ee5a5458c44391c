"""The command `make_sql_migration`, which writes a migration for the new and changed database functions of an app."""

import sys
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.writer import MigrationWriter

from tenants.database.function_migrations import (
    InstallFunctions,
    changed_functions,
    copy_path,
    installing_migrations,
    sources,
)


class Command(BaseCommand):
    help = (
        "Write a migration that installs the database functions of an app whose files (APP/sql/*.sql) are new or "
        "have changed since the last migration. The migration keeps a copy of the files. Example: "
        "manage.py make_sql_migration locks --name count_guests"
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app_label", metavar="APP", help="The app, for example: locks.")
        parser.add_argument(
            "--name",
            default="functions",
            help="The migration's name, after its number (default: %(default)s).",
        )
        parser.add_argument(
            "--check", action="store_true", help="Write nothing. Exit with 1 if a migration is missing."
        )

    def handle(self, *_args: Any, app_label: str, name: str, check: bool, **_options: Any) -> None:
        try:
            apps.get_app_config(app_label)
        except LookupError as error:
            raise CommandError(str(error), returncode=2) from error
        loader = MigrationLoader(None)
        functions = changed_functions(app_label, loader)
        if not functions:
            self.stdout.write(f"No function of {app_label} has changed.")
        elif check:
            self.stdout.write(f"A migration is missing for: {', '.join(functions)}.")
            sys.exit(1)
        else:
            self.stdout.write(f"Wrote {self._write(app_label, name, functions, loader)}.")

    def _write(self, app_label: str, name: str, functions: list[str], loader: MigrationLoader) -> Path:
        last = loader.graph.leaf_nodes(app_label)[0]
        number = (MigrationAutodetector.parse_number(last[1]) or 0) + 1
        migration: Any = Migration(f"{number:04d}_{name}", app_label)
        installed = installing_migrations(app_label, loader)
        replaces = {function: installed[function] for function in functions if function in installed}
        migration.dependencies = [last]
        migration.operations = [InstallFunctions(migration.name, functions, replaces)]
        texts = sources(app_label)
        for function in functions:
            copy = copy_path(app_label, migration.name, function)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(texts[function])
        file = Path(apps.get_app_config(app_label).path, "migrations", f"{migration.name}.py")
        file.write_text(MigrationWriter(migration).as_string())
        return file

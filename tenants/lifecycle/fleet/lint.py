"""A linter for migrations. The tool squawk finds SQL that locks tables for a long time.

Our own rule finds NOT NULL columns without a database default.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from django.apps import apps
from django.conf import settings
from django.db.migrations import AddField, SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation

from tenants.lifecycle.fleet.migration_sql import collect_statements

#: Rules that are turned off in the linter squawk, each with the reason.
EXCLUDED_RULES = {
    "require-lock-timeout": "`migrate` sets lock_timeout for every migration",
    "require-statement-timeout": "lock_timeout ends a statement that waits; a statement that works may take its time",
    "require-timeout-settings": "see the two rules above",
    "prefer-robust-stmts": "a migration and its record are one transaction, so no statement runs twice",
    "prefer-text-field": "the model chooses the length, and increasing it rewrites nothing",
    "prefer-bigint-over-int": "the model chooses the type",
    "prefer-bigint-over-smallint": "the model chooses the type",
    "prefer-identity": "Django creates identity columns",
    "ban-char-field": "Django creates varchar columns",
    "ban-drop-column": "it takes little time; the runbook says to drop a column one release after its last use",
    "ban-drop-table": "see ban-drop-column",
    "ban-drop-not-null": "it takes little time, and old code still works",
    "require-table-schema": "the search path sets the hotel's schema",
}

#: Advice on how to fix each finding in a Django migration. The linter squawk only gives advice for plain SQL.
FIXES = {
    "require-concurrent-index-creation": (
        "use AddIndexConcurrently (django.contrib.postgres.operations) and atomic = False"
    ),
    "require-concurrent-index-deletion": "use RemoveIndexConcurrently and atomic = False",
    "ban-concurrent-index-creation-in-transaction": (
        "set `atomic = False` on the migration, and move its other operations to another one"
    ),
    "adding-field-with-default": "use AddField with null=True, fill the column in batches, then set the default",
    "adding-not-nullable-field": (
        "new field: set db_default; existing field: use AddConstraintNotValid, then ValidateConstraint"
    ),
    "constraint-missing-not-valid": "use AddConstraintNotValid, then ValidateConstraint in a later migration",
    "disallowed-unique-constraint": (
        "use SeparateDatabaseAndState: CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... USING INDEX"
    ),
    "adding-foreign-key-constraint": (
        "use SeparateDatabaseAndState: add the constraint NOT VALID, then VALIDATE CONSTRAINT"
    ),
    "changing-column-type": (
        "add a new column, fill it in batches, and drop the old column in the next release"
    ),
    "renaming-column": "add a new column, because old code still reads the old name",
    "renaming-table": "keep the table name with `db_table`",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in a migration.

    `statement` is the SQL statement, or the Django operation if a rule of this module found the problem.
    """

    migration: str
    statement: str
    rule: str
    message: str
    fix: str

    def as_text(self) -> str:
        return (
            f"{self.migration}: {self.rule}\n  {self.statement}\n  Problem: {self.message}\n  Fix: {self.fix}"
        )


class SquawkNotInstalled(RuntimeError):
    """The linter squawk is not installed. Install requirements/development.txt."""


def find_problems() -> list[Finding]:
    """Return the operations in migrations that would be unsafe on a running system. Needs no database.

    Initial migrations are not checked.
    """
    loader = MigrationLoader(None)
    findings: list[Finding] = []
    statements = {}
    for key in _find_linted_migrations(loader):
        migration = loader.graph.nodes[key]
        findings += _find_columns_without_default(migration)
        statements[_path(migration)] = collect_statements(loader, key)
    findings += _run_squawk(statements)
    return sorted(findings, key=lambda finding: finding.migration)


def _find_linted_migrations(loader: MigrationLoader) -> list[tuple[str, str]]:
    """Return the project's migrations, except initial migrations, which run before any code uses the tables."""
    our_apps = {
        app.label
        for app in apps.get_app_configs()
        if Path(app.path).is_relative_to(settings.BASE_DIR) and "site-packages" not in app.path
    }
    return sorted(
        (app, name)
        for (app, name), migration in loader.disk_migrations.items()
        if app in our_apps and not migration.initial
    )


def _path(migration: Migration) -> str:
    return f"{migration.app_label}/migrations/{migration.name}.py"


def _find_columns_without_default(migration: Migration) -> Iterator[Finding]:
    """Yield the new NOT NULL columns without a database default.

    INSERT statements of the old code omit the new column and fail, because Django does not store a `default` in the
    database.
    """
    for operation in _flatten(migration.operations):
        if not isinstance(operation, AddField):
            continue
        field = operation.field
        if field.null or field.many_to_many or field.generated or field.has_db_default():
            continue
        yield Finding(
            migration=_path(migration),
            statement=f"{operation.describe()} (NOT NULL)",
            rule="adding-field-without-db-default",
            message="Old code still runs during a rollout, and its INSERT does not set the new column.",
            fix="set db_default on the field, or null=True",
        )


def _flatten(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        yield operation
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _flatten(operation.database_operations)


def _run_squawk(statements: dict[str, list[str]]) -> list[Finding]:
    """Run squawk on SQL files, given as a dict from path to statements. Return the problems that squawk finds."""
    if not statements:
        return []
    with TemporaryDirectory() as folder:
        files = {}
        for number, (migration, texts) in enumerate(statements.items()):
            file = Path(folder, f"{number}.sql")
            file.write_text("\n".join(texts) + "\n")
            files[str(file)] = migration
        result = subprocess.run(  # noqa: S603 - squawk's own program, our own files
            [
                _find_squawk(),
                "--reporter=json",
                "--pg-version=15",
                *(f"--exclude={rule}" for rule in EXCLUDED_RULES),
                *files,
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        violations = json.loads(result.stdout)
    except ValueError:
        raise RuntimeError(f"squawk failed: {result.stderr or result.stdout}") from None
    return [
        Finding(
            migration=files[violation["file"]],
            statement=_statement_at_line(statements[files[violation["file"]]], violation["line"]),
            rule=violation["rule_name"],
            message=violation["message"],
            fix=FIXES.get(violation["rule_name"])
            or violation["help"]
            or "see https://squawkhq.com/docs/rules",
        )
        for violation in violations
    ]


def _statement_at_line(statements: list[str], line: int) -> str:
    for statement in statements:
        line -= statement.count("\n") + 1
        if line < 0:
            return " ".join(statement.split())
    raise AssertionError


def _find_squawk() -> str:
    beside_python = Path(sys.executable).with_name("squawk")
    path = str(beside_python) if beside_python.exists() else shutil.which("squawk")
    if not path:
        raise SquawkNotInstalled
    return path

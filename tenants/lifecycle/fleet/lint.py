"""Judges what migrations will do to a database that people work with: squawk on their SQL, and one rule of ours."""

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

from tenants.lifecycle.fleet import migration_sql

#: Rules of squawk that don't fit here, and why.
EXCLUDED = {
    "require-lock-timeout": "`migrate` sets one around every migration",
    "require-statement-timeout": "a statement that waits is ended by lock_timeout; one that works is let work",
    "require-timeout-settings": "as the two above",
    "prefer-robust-stmts": "a migration is one transaction with its record, so nothing runs twice",
    "prefer-text-field": "a length is the model's to choose; growing it rewrites nothing",
    "prefer-bigint-over-int": "the model's to choose",
    "prefer-bigint-over-smallint": "the model's to choose",
    "prefer-identity": "Django makes identities",
    "ban-char-field": "Django makes varchar",
    "ban-drop-column": "takes a moment; that no code reads it any more is the second release's business (runbook)",
    "ban-drop-table": "as a column",
    "ban-drop-not-null": "takes a moment, and old code writes on",
    "require-table-schema": "the schema is the hotel's, set by the search path",
}

#: What to do in a migration of Django's, where squawk's own words speak of bare SQL.
CURES = {
    "require-concurrent-index-creation": "AddIndexConcurrently (django.contrib.postgres.operations), atomic = False",
    "require-concurrent-index-deletion": "RemoveIndexConcurrently, atomic = False",
    "ban-concurrent-index-creation-in-transaction": "`atomic = False` on the migration, and nothing else in it",
    "adding-field-with-default": "AddField with null=True first, then fill it in batches, then a default",
    "adding-not-nullable-field": "a new field: db_default; an old one: AddConstraintNotValid, then ValidateConstraint",
    "constraint-missing-not-valid": "AddConstraintNotValid, then ValidateConstraint in a later migration",
    "disallowed-unique-constraint": (
        "SeparateDatabaseAndState: CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... USING INDEX"
    ),
    "adding-foreign-key-constraint": "SeparateDatabaseAndState: the constraint NOT VALID, then VALIDATE CONSTRAINT",
    "changing-column-type": "a new column beside the old one, filled in batches; the old one goes a release later",
    "renaming-column": "a new column beside the old one; old code still reads the old name",
    "renaming-table": "keep the name in the database: `db_table`",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`statement` is the SQL, or the operation where the rule is ours."""

    migration: str
    statement: str
    rule: str
    message: str
    cure: str

    def text(self) -> str:
        return f"{self.migration}: {self.rule}\n  {self.statement}\n  Why: {self.message}\n  Instead: {self.cure}"


class NoSquawk(RuntimeError):
    """squawk is not installed: it comes with requirements/development.txt."""


def findings() -> list[Finding]:
    """What is wrong with the migrations after the initial ones. Asks no database."""
    loader = MigrationLoader(None)
    found: list[Finding] = []
    texts = {}
    for key in _find_judged_migrations(loader):
        migration = loader.graph.nodes[key]
        found += _without_db_default(migration)
        texts[_path(migration)] = migration_sql.collect_statements(loader, key)
    found += _squawk(texts)
    return sorted(found, key=lambda finding: finding.migration)


def _find_judged_migrations(loader: MigrationLoader) -> list[tuple[str, str]]:
    """Return the project's migrations except those marked `initial`, which no released code has run beside."""
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


def _without_db_default(migration: Migration) -> Iterator[Finding]:
    """Django's `default` is taken off the column again, so an INSERT of old code, which lacks it, would fail."""
    for operation in _operations(migration.operations):
        if not isinstance(operation, AddField):
            continue
        field = operation.field
        if field.null or field.many_to_many or field.generated or field.has_db_default():
            continue
        yield Finding(
            migration=_path(migration),
            statement=f"{operation.describe()} (NOT NULL)",
            rule="adding-field-without-db-default",
            message="Old code still runs on the new schema, and its INSERT names no such column.",
            cure="db_default=... on the field, or null=True",
        )


def _operations(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        yield operation
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _operations(operation.database_operations)


def _squawk(texts: dict[str, list[str]]) -> list[Finding]:
    if not texts:
        return []
    with TemporaryDirectory() as folder:
        files = {}
        for number, (migration, statements) in enumerate(texts.items()):
            file = Path(folder, f"{number}.sql")
            file.write_text("\n".join(statements) + "\n")
            files[str(file)] = migration
        done = subprocess.run(  # noqa: S603 - squawk's own program, our own files
            [
                _program(),
                "--reporter=json",
                "--pg-version=15",
                *(f"--exclude={rule}" for rule in EXCLUDED),
                *files,
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        violations = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"squawk failed: {done.stderr or done.stdout}") from None
    return [
        Finding(
            migration=files[violation["file"]],
            statement=_at_line(texts[files[violation["file"]]], violation["line"]),
            rule=violation["rule_name"],
            message=violation["message"],
            cure=CURES.get(violation["rule_name"])
            or violation["help"]
            or "see https://squawkhq.com/docs/rules",
        )
        for violation in violations
    ]


def _at_line(statements: list[str], line: int) -> str:
    for statement in statements:
        line -= statement.count("\n") + 1
        if line < 0:
            return " ".join(statement.split())
    raise AssertionError


def _program() -> str:
    beside = Path(sys.executable).with_name("squawk")
    found = str(beside) if beside.exists() else shutil.which("squawk")
    if not found:
        raise NoSquawk
    return found

"""Tests of the command `lint_migrations`, which finds unsafe operations in migrations without a database."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import call_command
from django.db import migrations, models
from django.db.models.functions import Now

from tenants.lifecycle.fleet import lint
from tests.tenants.conftest import AddMigration

FLOOR = models.Index(fields=["floor"], name="locks_room_floor")


def rules() -> set[str]:
    return {finding.rule for finding in lint.find_problems()}


def test_lint_of_this_projects_migrations_finds_no_problem() -> None:
    out = StringIO()
    call_command("lint_migrations", stdout=out)
    assert "No problems found" in out.getvalue()


def test_lint_of_an_initial_migration_finds_no_problem(add_migration: AddMigration) -> None:
    add_migration("locks", [migrations.AddIndex("room", FLOOR)], initial=True)
    assert rules() == set()


@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        (migrations.AddIndex("room", FLOOR), "require-concurrent-index-creation"),
        (AddIndexConcurrently("room", FLOOR), "ban-concurrent-index-creation-in-transaction"),
        (
            migrations.AddField("room", "mark", models.UUIDField(db_default=RandomUUID())),
            "adding-field-with-default",
        ),
        (
            migrations.AddConstraint("room", models.UniqueConstraint(fields=["floor"], name="one_a_floor")),
            "disallowed-unique-constraint",
        ),
        (
            migrations.AddConstraint(
                "room", models.CheckConstraint(condition=models.Q(floor__gt=0), name="high")
            ),
            "constraint-missing-not-valid",
        ),
        (migrations.AlterField("room", "floor", models.TextField()), "changing-column-type"),
        (migrations.RenameField("room", "floor", "storey"), "renaming-column"),
        (
            migrations.RunSQL('-- Why.\nCREATE INDEX plain ON locks_room\n  ("floor")'),
            "require-concurrent-index-creation",
        ),
        (
            migrations.AddField("room", "note", models.CharField(max_length=20, default="")),
            "adding-field-without-db-default",
        ),
        (
            migrations.SeparateDatabaseAndState(
                [migrations.AddField("room", "note", models.CharField(max_length=20, default=""))]
            ),
            "adding-field-without-db-default",
        ),
    ],
)
def test_lint_finds_operations_that_are_unsafe_on_a_running_system(
    add_migration: AddMigration, operation: Any, rule: str
) -> None:
    add_migration("locks", [operation])
    assert rule in rules()


@pytest.mark.parametrize(
    ("operation", "atomic"),
    [
        (AddIndexConcurrently("room", FLOOR), False),
        (
            migrations.AddField("room", "note", models.CharField(max_length=20, db_default="", default="")),
            True,
        ),
        (migrations.AddField("room", "seen_at", models.DateTimeField(db_default=Now())), True),
        (migrations.AddField("room", "mark", models.UUIDField(null=True)), True),
        (migrations.RemoveField("room", "floor"), True),
        (
            migrations.CreateModel(
                "Tower",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("room", models.ForeignKey("locks.room", models.CASCADE, related_name="+")),
                ],
                options={"indexes": [models.Index(fields=["id"], name="locks_tower_id")]},
            ),
            True,
        ),
        (migrations.RunPython(migrations.RunPython.noop), True),
    ],
)
def test_lint_of_a_safe_operation_finds_no_problem(
    add_migration: AddMigration, operation: Any, atomic: bool
) -> None:
    add_migration("locks", [operation], atomic=atomic)
    assert rules() == set()


def test_lint_finds_problems_in_migrations_of_platform_tables(add_migration: AddMigration) -> None:
    add_migration("tenants", [migrations.AddIndex("hotel", models.Index(fields=["name"], name="by_name"))])
    assert rules() == {"require-concurrent-index-creation"}


def test_lint_reports_a_problem_of_platform_and_hotel_tables_only_once(
    add_migration: AddMigration,
) -> None:
    add_migration(
        "audit", [migrations.AddIndex("event", models.Index(fields=["version"], name="by_version"))]
    )
    assert len(lint.find_problems()) == 1


def test_lint_migrations_prints_the_migration_the_statement_and_the_fix(add_migration: AddMigration) -> None:
    add_migration("locks", [migrations.AddIndex("room", FLOOR)])
    out = StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("lint_migrations", stdout=out)
    assert caught.value.code == 1
    output = out.getvalue()
    assert "locks/migrations/9000_added.py: require-concurrent-index-creation" in output
    assert 'CREATE INDEX "locks_room_floor" ON "locks_room" ("floor")' in output
    assert "Fix: use AddIndexConcurrently" in output

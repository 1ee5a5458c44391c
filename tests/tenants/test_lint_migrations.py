"""What `make lint` says of migrations: no database is asked, so none is needed here."""

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


def test_the_migrations_of_this_project_pass() -> None:
    out = StringIO()
    call_command("lint_migrations", stdout=out)
    assert "No problems found" in out.getvalue()


def test_lint_skips_initial_migrations(add_migration: AddMigration) -> None:
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
def test_it_refuses_what_locks_long_or_breaks_old_code(
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
def test_it_lets_pass_what_does_not(add_migration: AddMigration, operation: Any, atomic: bool) -> None:
    add_migration("locks", [operation], atomic=atomic)
    assert rules() == set()


def test_it_judges_the_platforms_tables_too(add_migration: AddMigration) -> None:
    add_migration("tenants", [migrations.AddIndex("hotel", models.Index(fields=["name"], name="by_name"))])
    assert rules() == {"require-concurrent-index-creation"}


def test_a_table_that_is_in_both_places_is_told_of_once(add_migration: AddMigration) -> None:
    add_migration("audit", [migrations.AddIndex("event", models.Index(fields=["ip"], name="by_ip"))])
    assert len(lint.find_problems()) == 1


def test_it_names_the_migration_the_statement_and_the_cure(add_migration: AddMigration) -> None:
    add_migration("locks", [migrations.AddIndex("room", FLOOR)])
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("lint_migrations", stdout=out)
    assert end.value.code == 1
    told = out.getvalue()
    assert "locks/migrations/9000_added.py: require-concurrent-index-creation" in told
    assert 'CREATE INDEX "locks_room_floor" ON "locks_room" ("floor")' in told
    assert "Fix: use AddIndexConcurrently" in told

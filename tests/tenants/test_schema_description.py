"""Tests of the fingerprints of schemas, and of backups that use the definitions of the template schema."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, migrations, models, transaction
from django.db.backends.utils import CursorWrapper

from tenants import services
from tenants.context import platform_context
from tenants.database.connections import direct_connection
from tenants.lifecycle import pgtools, schema_template
from tenants.lifecycle.schema_description import compute_fingerprint
from tenants.models import Hotel
from tests.tenants import sql
from tests.tenants.backups import backup, restore, sorted_dump
from tests.tenants.conftest import AddMigration

pytestmark = pytest.mark.django_db(transaction=True)

#: Statements that change the definitions of the schema hotel_alpha. pg_dump writes each of these changes.
CHANGES = [
    "ALTER TABLE locks_room ADD COLUMN note text",
    "ALTER TABLE locks_room ALTER COLUMN number DROP NOT NULL",
    "ALTER TABLE locks_room ALTER COLUMN number SET DEFAULT '1'",
    "ALTER TABLE locks_room ALTER COLUMN number TYPE varchar(30)",
    'ALTER TABLE locks_room ALTER COLUMN number TYPE varchar(20) COLLATE "C"',
    "ALTER TABLE locks_room ALTER COLUMN number SET STORAGE MAIN",
    "ALTER TABLE locks_room ALTER COLUMN number SET STATISTICS 17",
    "ALTER TABLE locks_room ALTER COLUMN number SET (n_distinct = 5)",
    "ALTER TABLE locks_room ALTER COLUMN id SET GENERATED ALWAYS",
    "ALTER TABLE locks_room SET (fillfactor = 50)",
    "ALTER TABLE audit_event SET (toast.autovacuum_enabled = off)",
    "ALTER TABLE tenants_session SET UNLOGGED",
    "ALTER TABLE locks_room REPLICA IDENTITY FULL",
    "ALTER TABLE locks_room ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE locks_room ADD CONSTRAINT more CHECK (number <> 'x')",
    "ALTER TABLE locks_room ADD CONSTRAINT more CHECK (number <> 'x') NOT VALID",
    "ALTER TABLE locks_room RENAME TO locks_chamber",
    "ALTER TABLE locks_room CLUSTER ON locks_room_pkey",
    "CREATE INDEX more ON locks_room (number DESC)",
    "ALTER SEQUENCE locks_room_id_seq CYCLE",
    "CREATE SEQUENCE more",
    "CREATE TRIGGER more BEFORE UPDATE ON locks_room EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "ALTER TABLE audit_event DISABLE TRIGGER USER",
    "CREATE TABLE more (id integer)",
    "CREATE VIEW more AS SELECT 1",
    "CREATE FUNCTION more() RETURNS integer LANGUAGE sql RETURN 1",
    "CREATE TYPE more AS ENUM ('a')",
    "CREATE STATISTICS more ON number, id FROM locks_room",
    "CREATE RULE more AS ON DELETE TO locks_room DO INSTEAD NOTHING",
    "CREATE POLICY more ON locks_room",
    "CREATE TABLE more () INHERITS (locks_room)",
]


@pytest.fixture
def cursor() -> Iterator[CursorWrapper]:
    with direct_connection(), platform_context(), transaction.atomic(), connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def started_programs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that receives the name of each PostgreSQL program that is started during the test."""
    started: list[str] = []
    run_binary = pgtools.run_binary

    def record_and_run(program: str, *arguments: str, **options: Any) -> bytes:
        started.append(program)
        return run_binary(program, *arguments, **options)

    monkeypatch.setattr(pgtools, "run_binary", record_and_run)
    return started


def test_fingerprint_of_a_provisioned_schema_equals_the_fingerprint_of_the_template(
    cursor: CursorWrapper,
) -> None:
    fingerprint = compute_fingerprint(cursor, schema_template.SCHEMA)
    assert fingerprint
    assert fingerprint == compute_fingerprint(cursor, "hotel_alpha")


def test_fingerprint_differs_after_each_change_to_a_definition(cursor: CursorWrapper) -> None:
    original = compute_fingerprint(cursor, "hotel_alpha")
    unnoticed = []
    for change in CHANGES:
        with transaction.atomic():
            cursor.execute(f"SET LOCAL search_path TO hotel_alpha; {change}")
            if compute_fingerprint(cursor, "hotel_alpha") == original:
                unnoticed.append(change)
            transaction.set_rollback(True)
    assert unnoticed == []


def test_fingerprint_does_not_depend_on_rows_privileges_and_dropped_columns(cursor: CursorWrapper) -> None:
    original = compute_fingerprint(cursor, "hotel_alpha")
    cursor.execute("INSERT INTO hotel_alpha.django_migrations (app, name, applied) VALUES ('x', 'y', now())")
    cursor.execute("GRANT SELECT ON hotel_alpha.locks_room TO PUBLIC")
    cursor.execute("ALTER TABLE hotel_alpha.locks_room ADD COLUMN note text")
    cursor.execute("ALTER TABLE hotel_alpha.locks_room DROP COLUMN note")
    assert compute_fingerprint(cursor, "hotel_alpha") == original


def test_backup_of_a_schema_equal_to_the_template_runs_no_pg_dump(
    tmp_path: Path, started_programs: list[str]
) -> None:
    backup(tmp_path / "alpha.hotel")
    assert started_programs == []
    restore(tmp_path / "alpha.hotel", slug="copy")
    assert sorted_dump("hotel_copy") == sorted_dump("hotel_alpha")


def test_backup_contains_an_index_that_only_this_hotel_has(
    tmp_path: Path, started_programs: list[str]
) -> None:
    sql.execute("CREATE INDEX more ON hotel_alpha.locks_room (number DESC)")
    backup(tmp_path / "alpha.hotel")
    assert "pg_dump" in started_programs
    restore(tmp_path / "alpha.hotel", slug="copy")
    assert sorted_dump("hotel_copy") == sorted_dump("hotel_alpha")


def test_backup_after_a_migration_of_all_hotels_runs_no_pg_dump(
    tmp_path: Path, started_programs: list[str], add_migration: AddMigration
) -> None:
    """The template and the hotels get the new column in different ways, but their fingerprints must be equal."""
    field = models.CharField(max_length=9, default="a", db_default="a")
    constraint = models.CheckConstraint(condition=models.Q(grade__in=["a", "b"]), name="grade")
    add_migration(
        "locks",
        [migrations.AddField("room", "grade", field), migrations.AddConstraint("room", constraint)],
    )
    call_command("migrate", verbosity=0)
    services.create_hotel(slug="newer", name="Newer")
    started_programs.clear()
    for slug in ("alpha", "newer"):
        backup(tmp_path / f"{slug}.hotel", slug)
    assert started_programs == []


def test_stored_template_scripts_equal_the_pg_dump_output_for_a_hotel(
    hotel: Hotel, cursor: CursorWrapper
) -> None:
    stored = schema_template.read_definitions(cursor, hotel.schema)
    assert "AS IDENTITY" in stored[0]
    assert "ADD GENERATED" not in stored[0]
    cursor.execute("UPDATE tenants_schematemplate SET fingerprint = ''")
    dumped = schema_template.read_definitions(cursor, hotel.schema)
    assert list(map(sql.normalize_lists, stored)) == list(map(sql.normalize_lists, dumped))


def test_migrate_after_a_template_change_updates_the_script_for_new_hotels() -> None:
    sql.execute("CREATE INDEX more ON hotel_template.locks_room (number DESC)")
    call_command("migrate", verbosity=0)
    newer = services.create_hotel(slug="newer", name="Newer")
    assert sorted_dump(newer.schema) == sorted_dump(schema_template.SCHEMA)

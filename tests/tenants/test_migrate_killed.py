"""Tests that kill the command `migrate`.

Each hotel is either migrated or unchanged. The next run migrates the remaining hotels.
"""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from tenants import services
from tenants.lifecycle import schema_template
from tests.tenants import manage_with_index_migration, sql
from tests.tenants.conftest import AddMigration
from tests.tenants.kill_command import kill_while_waiting_for_lock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unused_sequences")]


def last_migration(schema: str) -> str:
    rows = sql.query(f"SELECT name FROM {schema}.django_migrations WHERE app = 'locks' ORDER BY name")
    return str(rows[-1][0])


@pytest.fixture
def missing_migration() -> str:
    """Reverse the last migration of the app `locks` in three hotels and in the template schema.

    Return the name of the migration.
    """
    services.create_hotel(slug="third", name="Third")
    call_command("migrate", verbosity=0)
    last = last_migration("hotel_alpha")
    before = sql.query("SELECT name FROM hotel_alpha.django_migrations WHERE app = 'locks' ORDER BY name")[
        -2
    ][0]
    call_command("migrate", "locks", before, verbosity=0)
    assert {last_migration(f"hotel_{slug}") for slug in ("alpha", "beta", "third")} == {before}
    return last


def migrate_again() -> list[str]:
    """Run `migrate`, check that all hotels then have the same schema, and return the slugs of the migrated hotels."""
    out = StringIO()
    call_command("migrate", json=True, stdout=out)
    result = json.loads(out.getvalue())
    assert result["failed"] == {}
    assert sql.dump_schema("hotel_alpha") == sql.dump_schema("hotel_beta") == sql.dump_schema("hotel_third")
    return list(result["migrated"])


def test_migrate_killed_while_django_migrates_a_hotel_leaves_the_hotel_unchanged(
    missing_migration: str,
) -> None:
    """Alpha is the first hotel, so Django migrates it in a transaction.

    The killed command does not commit the transaction.
    """
    before = sql.dump_schema("hotel_alpha")
    # With this lock, `migrate` can read django_migrations, but waits when it inserts a row.
    lock = "LOCK TABLE hotel_alpha.django_migrations IN EXCLUSIVE MODE"
    kill_while_waiting_for_lock("migrate", "--jobs", "1", lock=lock)
    assert last_migration(schema_template.SCHEMA) == missing_migration
    assert sql.dump_schema("hotel_alpha") == before
    assert migrate_again() == ["alpha", "beta", "third"]


def test_migrate_killed_during_recorded_statements_leaves_the_hotel_unchanged(
    missing_migration: str,
) -> None:
    """`migrate` records the SQL statements for the first hotel, and runs the same statements for the other hotels.

    The transaction that runs the recorded statements also records the event of the migration.
    """
    before = sql.dump_schema("hotel_beta")
    lock = "LOCK TABLE hotel_beta.django_migrations IN EXCLUSIVE MODE"
    kill_while_waiting_for_lock("migrate", "--jobs", "1", lock=lock)
    assert last_migration("hotel_alpha") == missing_migration
    assert sql.dump_schema("hotel_beta") == before
    assert last_migration("hotel_third") != missing_migration
    assert migrate_again() == ["beta", "third"]
    for schema in ("public", "hotel_beta"):
        hotels = sql.query(f"SELECT subject_id FROM {schema}.audit_event WHERE event = 'hotel.migrated'")
        # Each hotel has two events, because the fixture has reverted the migration before.
        assert len(hotels) == 2 * len(set(hotels)) == (6 if schema == "public" else 2)


@pytest.mark.parametrize(
    ("kill_backend", "is_valid"),
    [(False, True), (True, False)],
    ids=["server finishes", "server is killed too"],
)
def test_migrate_after_a_killed_concurrent_index_creation_leaves_a_valid_index(
    add_migration: AddMigration, kill_backend: bool, is_valid: bool
) -> None:
    """The killed `migrate` command does not record the migration.

    If the server did not finish creating the index, the index is invalid, and the next `migrate` repairs it.
    """
    validity = (
        "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE c.relname = %s AND c.relnamespace = %s::regnamespace"
    )
    kill_while_waiting_for_lock(
        "migrate", "--jobs", "1", program=("-m", "tests.tenants.manage_with_index_migration"),
        kill_backend=kill_backend, lock="LOCK TABLE hotel_alpha.locks_room IN ROW EXCLUSIVE MODE",
    )  # fmt: skip
    assert sql.query(validity, manage_with_index_migration.INDEX, "hotel_alpha") == [(is_valid,)]
    assert last_migration("hotel_alpha") != "9000_added"
    add_migration("locks", [manage_with_index_migration.operation()], atomic=False)
    out = StringIO()
    call_command("migrate", json=True, stdout=out)
    assert json.loads(out.getvalue())["migrated"] == ["alpha", "beta"]
    for schema in ("hotel_alpha", "hotel_beta", schema_template.SCHEMA):
        assert sql.query(validity, manage_with_index_migration.INDEX, schema) == [(True,)]
        assert last_migration(schema) == "9000_added"

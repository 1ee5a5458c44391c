"""A migration of the fleet that is killed in the middle: each hotel is done or as it was, and the next run goes on."""

import json
import re
from io import StringIO

import pytest
from django.core.management import call_command

from tenants import services
from tenants.lifecycle import schema_template
from tests.tenants import indexing, sql
from tests.tenants.conftest import AddMigration
from tests.tenants.killing import kill_where_it_waits
from tests.tenants.test_migrate import rows_and_tables

pytestmark = pytest.mark.django_db(transaction=True)


def newest(schema: str) -> str:
    rows = sql.ask(f"SELECT name FROM {schema}.django_migrations WHERE app = 'locks' ORDER BY name")
    return str(rows[-1][0])


@pytest.fixture
def behind() -> str:
    """Three hotels and the template lack the last migration of `locks`; its name."""
    services.create_hotel(slug="third", name="Third")
    call_command("migrate", verbosity=0)
    last = newest("hotel_alpha")
    before = sql.ask("SELECT name FROM hotel_alpha.django_migrations WHERE app = 'locks' ORDER BY name")[-2][
        0
    ]
    call_command("migrate", "locks", before, verbosity=0)
    assert {newest(f"hotel_{slug}") for slug in ("alpha", "beta", "third")} == {before}
    return last


def state(schema: str) -> str:
    """Without the migrations' numbers: what was rolled back used up some."""
    return re.sub(
        r"(django_migrations VALUES|django_migrations \([^)]*\) VALUES) \(\d+",
        r"\1 (N",
        rows_and_tables(schema),
    )


def finish() -> list[str]:
    out = StringIO()
    call_command("migrate", json=True, stdout=out)
    told = json.loads(out.getvalue())
    assert told["failed"] == {}
    assert state("hotel_alpha") == state("hotel_beta") == state("hotel_third")
    return list(told["migrated"])


def test_the_hotel_that_django_was_migrating_is_as_it_was(behind: str) -> None:
    """Alpha is the first of its group, so its transaction is the client's to commit."""
    before = rows_and_tables("hotel_alpha")
    # What is there can be read; that it is migrated can't be written down.
    lock = "LOCK TABLE hotel_alpha.django_migrations IN EXCLUSIVE MODE"
    kill_where_it_waits("migrate", "--jobs", "1", lock=lock)
    assert newest(schema_template.SCHEMA) == behind
    assert rows_and_tables("hotel_alpha") == before
    assert finish() == ["alpha", "beta", "third"]


def test_the_hotel_that_got_its_text_is_migrated_whole(behind: str) -> None:
    """One message is one transaction, which the server ends by itself: the state it is in is whole and written down."""
    lock = "LOCK TABLE hotel_beta.django_migrations IN EXCLUSIVE MODE"
    kill_where_it_waits("migrate", "--jobs", "1", lock=lock)
    assert newest("hotel_alpha") == newest("hotel_beta") == behind
    assert sql.dump("hotel_alpha") == sql.dump("hotel_beta")
    assert newest("hotel_third") != behind
    assert finish() == ["third"]


@pytest.mark.parametrize(
    ("server_too", "left"), [(False, True), (True, False)], ids=["the server finishes it", "nobody does"]
)
def test_an_index_that_was_being_made_concurrently_is_there_and_valid_after_the_next_run(
    add_migration: AddMigration, server_too: bool, left: bool
) -> None:
    """No transaction takes it back: it is left behind whole or unfinished, and no migration has recorded it."""
    valid = (
        "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE c.relname = %s AND c.relnamespace = %s::regnamespace"
    )
    kill_where_it_waits(
        "migrate", "--jobs", "1", program=("-m", "tests.tenants.indexing"), server_too=server_too,
        lock="LOCK TABLE hotel_alpha.locks_room IN ROW EXCLUSIVE MODE",
    )  # fmt: skip
    assert sql.ask(valid, indexing.INDEX, "hotel_alpha") == [(left,)]
    assert newest("hotel_alpha") != "9000_added"
    add_migration("locks", [indexing.operation()], atomic=False)
    out = StringIO()
    call_command("migrate", json=True, stdout=out)
    assert json.loads(out.getvalue())["migrated"] == ["alpha", "beta"]
    for schema in ("hotel_alpha", "hotel_beta", schema_template.SCHEMA):
        assert sql.ask(valid, indexing.INDEX, schema) == [(True,)]
        assert newest(schema) == "9000_added"

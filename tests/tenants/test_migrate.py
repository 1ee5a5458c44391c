"""`migrate` brings the platform, the template and every hotel to the newest state."""

import json
import re
import threading
from io import StringIO
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import CommandError, call_command
from django.db import connection, migrations, models, transaction
from django.test.utils import CaptureQueriesContext

from tenants import services
from tenants.context import current_hotel, hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.lifecycle import migration_lock, schema_template
from tenants.models import Hotel
from tests.tenants import sql
from tests.tenants.conftest import AddMigration

pytestmark = pytest.mark.django_db(transaction=True)

ADD_FLOOR_NOTE = migrations.AddField(
    "room", "note", models.CharField(max_length=20, default="", db_default="")
)


def migrate(**options: Any) -> dict[str, Any]:
    """The command's own account, the exit code in it."""
    out = StringIO()
    code = 0
    try:
        call_command("migrate", json=True, stdout=out, **options)
    except SystemExit as end:
        code = int(str(end.code))
    return {**json.loads(out.getvalue() or "{}"), "code": code}


def columns(schema: str, table: str = "locks_room") -> set[str]:
    rows = sql.ask(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        schema,
        table,
    )
    return {row[0] for row in rows}


def rows_and_tables(schema: str) -> str:
    """Without where sequences stand: those move on, also in a transaction that is rolled back."""
    return re.sub(r"^SELECT pg_catalog\.setval.*$", "", sql.dump(schema), flags=re.MULTILINE)


def fingerprints() -> set[str]:
    with platform_context():
        return set(Hotel.objects.values_list("schema_version", flat=True))


def test_it_migrates_platform_template_and_every_hotel(add_migration: AddMigration) -> None:
    services.create_hotel(slug="third", name="Third")
    add_migration("locks", [ADD_FLOOR_NOTE])
    assert migrate() == {
        "migrated": ["alpha", "beta", "third"], "failed": {}, "untouched": 0, "repaired": [], "code": 0,
    }  # fmt: skip
    for schema in ("hotel_alpha", "hotel_beta", "hotel_third", schema_template.SCHEMA):
        assert "note" in columns(schema)
    assert len(fingerprints()) == 1
    assert sql.dump("hotel_alpha").count("9000_added") == sql.dump("hotel_beta").count("9000_added") == 1


def test_hotels_migrated_by_text_are_those_migrated_by_django(add_migration: AddMigration) -> None:
    """The first of the group went through Django, the others got its text."""
    services.create_hotel(slug="third", name="Third")
    add_migration(
        "locks",
        [
            ADD_FLOOR_NOTE,
            migrations.AlterField(
                "room", "note", models.CharField(max_length=30, unique=True, db_default="")
            ),
            migrations.AddIndex("room", models.Index(fields=["floor"], name="locks_room_floor")),
            migrations.CreateModel("Tower", [("id", models.BigAutoField(primary_key=True))]),
        ],
    )
    add_migration(
        "locks", [migrations.RemoveIndex("room", "locks_room_floor"), migrations.DeleteModel("Tower")]
    )
    assert migrate()["failed"] == {}
    assert sql.dump("hotel_alpha") == sql.dump("hotel_beta") == sql.dump("hotel_third")


def test_a_new_table_is_granted_to_each_hotels_own_role(add_migration: AddMigration) -> None:
    add_migration("locks", [migrations.CreateModel("Tower", [("id", models.BigAutoField(primary_key=True))])])
    assert migrate()["repaired"] == []
    for slug in ("alpha", "beta"):
        with platform_context():
            hotel = Hotel.objects.get(slug=slug)
        with hotel_context(hotel), connection.cursor() as cursor:
            cursor.execute("INSERT INTO locks_tower DEFAULT VALUES RETURNING id")
            assert cursor.fetchone()


def test_one_shared_query_finds_that_there_is_nothing_to_do() -> None:
    """However many hotels there are: the number of statements of an idle run does not depend on it."""

    def statements() -> int:
        with direct_connection(), platform_context(), CaptureQueriesContext(connection) as queries:
            call_command("migrate", verbosity=0)
        return len(queries)

    migrate()
    before = statements()
    for number in range(5):
        services.create_hotel(slug=f"more-{number}", name="More")
    assert statements() == before


def test_one_hotels_failure_leaves_it_as_it_was_and_the_others_go_on(add_migration: AddMigration) -> None:
    services.create_hotel(slug="third", name="Third")
    # Twice the same floor: the unique index can't be made there. `alpha` comes first and teaches nothing.
    sql.run(
        "INSERT INTO hotel_alpha.locks_room (number, room_type, floor, capacity, fencing_token) "
        "VALUES ('1', 'A', 1, 2, 0), ('2', 'A', 1, 2, 0)"
    )
    add_migration("locks", [ADD_FLOOR_NOTE])
    unique = models.UniqueConstraint(fields=["floor"], name="locks_room_one_a_floor")
    add_migration("locks", [migrations.AddConstraint("room", unique)])
    before = rows_and_tables("hotel_alpha")
    told = migrate()
    assert told["code"] == 1
    assert told["migrated"] == ["beta", "third"]
    assert "locks_room_one_a_floor" in told["failed"]["alpha"]
    assert rows_and_tables("hotel_alpha") == before

    sql.run("UPDATE hotel_alpha.locks_room SET floor = 2 WHERE number = '2'")
    assert migrate() == {"migrated": ["alpha"], "failed": {}, "untouched": 0, "repaired": [], "code": 0}


def test_a_data_migration_runs_in_each_hotel_with_the_hotel_set(add_migration: AddMigration) -> None:
    seen = []

    def fill(apps: Any, schema_editor: Any) -> None:
        seen.append(current_hotel().slug)
        apps.get_model("locks", "Room").objects.create(number="100", room_type="A", floor=1, capacity=2)

    add_migration("locks", [migrations.RunPython(fill)])
    add_migration("locks", [ADD_FLOOR_NOTE])
    assert migrate(jobs=2)["code"] == 0
    assert sorted(seen) == ["", "alpha", "beta"]  # the template first: its rows are part of what is replayed
    for schema in ("hotel_alpha", "hotel_beta"):
        assert sql.ask(f"SELECT number, note FROM {schema}.locks_room") == [("100", "")]


def test_a_failing_data_migration_takes_back_the_whole_plan(add_migration: AddMigration) -> None:
    def fail(apps: Any, schema_editor: Any) -> None:
        if current_hotel().slug == "alpha":
            raise ValueError("alpha has no luck")

    add_migration("locks", [ADD_FLOOR_NOTE])
    add_migration("locks", [migrations.RunPython(fail)])
    before = rows_and_tables("hotel_alpha")
    told = migrate()
    assert (told["migrated"], told["failed"]) == (["beta"], {"alpha": "ValueError: alpha has no luck"})
    assert rows_and_tables("hotel_alpha") == before


def test_an_index_can_be_made_concurrently(add_migration: AddMigration) -> None:
    index = models.Index(fields=["floor"], name="locks_room_floor")
    add_migration("locks", [AddIndexConcurrently("room", index)], atomic=False)
    assert migrate()["failed"] == {}
    rows = sql.ask("SELECT schemaname FROM pg_indexes WHERE indexname = 'locks_room_floor' ORDER BY 1")
    assert [row[0] for row in rows] == ["hotel_alpha", "hotel_beta", schema_template.SCHEMA]


def test_a_canary_that_fails_keeps_the_others_as_they_are(add_migration: AddMigration) -> None:
    sql.run("CREATE TABLE hotel_alpha.locks_tower ()")
    add_migration("locks", [migrations.CreateModel("Tower", [("id", models.BigAutoField(primary_key=True))])])
    told = migrate(canary="alpha")
    assert (told["migrated"], list(told["failed"]), told["untouched"]) == ([], ["alpha"], 1)
    assert told["code"] == 1


def test_a_canary_that_goes_through_is_followed_by_the_others(add_migration: AddMigration) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    told = migrate(canary="beta")
    assert told["migrated"] == ["alpha", "beta"]


def test_only_the_named_hotel_is_migrated(add_migration: AddMigration) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    assert migrate(hotel=["beta"])["migrated"] == ["beta"]
    assert "note" not in columns("hotel_alpha")
    assert migrate()["migrated"] == ["alpha"]


def test_an_unknown_hotel_is_wrong_usage() -> None:
    with pytest.raises(CommandError, match="no hotel nobody"):
        call_command("migrate", hotel=["nobody"])


def test_two_migrations_at_once_are_refused() -> None:
    with direct_connection(), platform_context(), migration_lock.hold_migration_lock():
        caught: list[BaseException] = []

        def second() -> None:
            try:
                call_command("migrate", verbosity=0)
            except CommandError as error:
                caught.append(error)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "Another `migrate`" in str(caught[0])


def test_a_hotel_made_while_the_fleet_is_migrated_ends_up_current(
    add_migration: AddMigration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made from the old script, after the migration has begun and before it looks who is behind."""
    add_migration("locks", [ADD_FLOOR_NOTE])
    store = schema_template.store_script

    def create_then_store(migrated: str) -> None:
        thread = threading.Thread(target=lambda: services.create_hotel(slug="late", name="Late"))
        thread.start()
        thread.join()
        store(migrated)

    monkeypatch.setattr(template, "store", create_then_store)
    assert "late" in migrate()["migrated"]
    assert "note" in columns("hotel_late")


def test_storing_the_script_waits_for_a_hotel_that_is_being_made() -> None:
    """And then sees it: nobody falls between the old script and the question who is behind."""
    stored = threading.Event()

    def store() -> None:
        with direct_connection(), platform_context():
            schema_template.store_script("0" * 32)
        stored.set()

    with direct_connection(), platform_context():
        with transaction.atomic():
            list(Hotel.objects.raw("SELECT 1 AS id FROM tenants_schematemplate FOR SHARE"))
            thread = threading.Thread(target=store)
            thread.start()
            assert not stored.wait(2)
        assert stored.wait(20)
    thread.join()


def test_a_table_that_is_in_use_makes_it_try_again_and_not_wait(
    add_migration: AddMigration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_lock, "LOCK_TIMEOUT", "100ms")
    add_migration("locks", [ADD_FLOOR_NOTE])
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        with direct_connection(), platform_context(), connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT count(*) FROM hotel_beta.locks_room")
            reading.set()
            done.wait(3)
            cursor.execute("COMMIT")

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait(10)
    assert migrate()["failed"] == {}
    done.set()
    thread.join()


@pytest.mark.parametrize("option", ["plan", "check_unapplied"])
def test_plan_and_check_change_nothing(add_migration: AddMigration, option: str) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    if option == "check_unapplied":
        with pytest.raises(SystemExit) as end:
            call_command("migrate", stdout=StringIO(), **{option: True})
        assert end.value.code == 1
    else:
        call_command("migrate", stdout=StringIO(), **{option: True})
    assert "note" not in columns("hotel_alpha")


def test_plan_names_the_hotels_and_what_they_lack(add_migration: AddMigration) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    out = StringIO()
    call_command("migrate", plan=True, stdout=out)
    assert "Hotels: alpha, beta" in out.getvalue()
    assert "Add field note to room" in out.getvalue()


def test_check_is_content_when_all_are_current() -> None:
    migrate()
    call_command("migrate", check_unapplied=True, stdout=StringIO())


def test_one_app_goes_back_in_every_schema_and_forward_again(add_migration: AddMigration) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    migrate()
    last = sql.ask("SELECT name FROM hotel_alpha.django_migrations WHERE app = 'locks' ORDER BY name")[-2][0]
    call_command("migrate", "locks", last, verbosity=0)
    for schema in ("hotel_alpha", "hotel_beta", schema_template.SCHEMA):
        assert "note" not in columns(schema)
    assert services.create_hotel(slug="third", name="Third")
    assert "note" not in columns("hotel_third")
    assert migrate()["migrated"] == ["alpha", "beta", "third"]

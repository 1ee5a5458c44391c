"""Tests of `migrate`, which migrates the platform, the template schema and all hotels."""

import json
import threading
from io import StringIO
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import CommandError, call_command
from django.db import connection, migrations, models, transaction
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from audit.registry import Outcome
from tenants import services
from tenants.context import current_hotel, hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.lifecycle import migration_lock, schema_template
from tenants.models import Hotel
from tests.tenants import sql
from tests.tenants.conftest import AddMigration

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unused_sequences")]

ADD_FLOOR_NOTE = migrations.AddField(
    "room", "note", models.CharField(max_length=20, default="", db_default="")
)


def migrate(**options: Any) -> dict[str, Any]:
    """Run `migrate --json`. Return its JSON result with the exit code as `code`."""
    out = StringIO()
    code = 0
    try:
        call_command("migrate", json=True, stdout=out, **options)
    except SystemExit as error:
        code = int(str(error.code))
    return {**json.loads(out.getvalue() or "{}"), "code": code}


def columns(schema: str, table: str = "locks_room") -> set[str]:
    rows = sql.query(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        schema,
        table,
    )
    return {row[0] for row in rows}


def schema_versions() -> set[str]:
    with platform_context():
        return set(Hotel.objects.values_list("schema_version", flat=True))


def test_migrate_applies_a_migration_to_the_template_and_every_hotel(add_migration: AddMigration) -> None:
    services.create_hotel(slug="third", name="Third")
    add_migration("locks", [ADD_FLOOR_NOTE])
    assert migrate() == {
        "migrated": ["alpha", "beta", "third"], "failed": {}, "untouched": 0, "repaired": [], "code": 0,
    }  # fmt: skip
    for schema in ("hotel_alpha", "hotel_beta", "hotel_third", schema_template.SCHEMA):
        assert "note" in columns(schema)
    assert len(schema_versions()) == 1
    assert (
        sql.dump_schema("hotel_alpha").count("9000_added")
        == sql.dump_schema("hotel_beta").count("9000_added")
        == 1
    )


def test_migration_of_a_hotel_is_recorded_in_the_audit_trails_of_hotel_and_platform(
    add_migration: AddMigration,
) -> None:
    """Django migrates the first hotel, and the other hotel runs the recorded SQL."""
    add_migration("locks", [ADD_FLOOR_NOTE])
    migrate()
    with platform_context():
        hotels = list(Hotel.objects.all())
        events = {event.subject_id: event for event in Event.objects.filter(event="hotel.migrated")}
    assert events.keys() == {str(hotel.id) for hotel in hotels}
    for hotel in hotels:
        detail = events[str(hotel.id)].data["detail"]
        assert detail["migrations"] == ["locks.9000_added"]
        assert detail["before"] != detail["after"] == hotel.schema_version
        with hotel_context(hotel):
            assert Event.objects.get(event="hotel.migrated").data == events[str(hotel.id)].data


def test_recorded_sql_and_django_migrate_hotels_to_the_same_schema(
    add_migration: AddMigration,
) -> None:
    """Django migrates the first hotel, alpha, and its statements are recorded.

    The other hotels run the recorded statements.
    """
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
    assert sql.dump_schema("hotel_alpha") == sql.dump_schema("hotel_beta") == sql.dump_schema("hotel_third")


def test_new_table_is_granted_to_the_role_of_each_hotel(add_migration: AddMigration) -> None:
    add_migration("locks", [migrations.CreateModel("Tower", [("id", models.BigAutoField(primary_key=True))])])
    assert migrate()["repaired"] == []
    for slug in ("alpha", "beta"):
        with platform_context():
            hotel = Hotel.objects.get(slug=slug)
        with hotel_context(hotel), connection.cursor() as cursor:
            cursor.execute("INSERT INTO locks_tower DEFAULT VALUES RETURNING id")
            assert cursor.fetchone()


def test_migrate_without_new_migrations_runs_no_statements_per_hotel() -> None:
    def count_statements() -> int:
        with direct_connection(), platform_context(), CaptureQueriesContext(connection) as queries:
            call_command("migrate", verbosity=0)
        return len(queries)

    migrate()
    before = count_statements()
    for number in range(5):
        services.create_hotel(slug=f"more-{number}", name="More")
    assert count_statements() == before


def test_failed_migration_of_one_hotel_does_not_affect_other_hotels(
    add_migration: AddMigration,
) -> None:
    services.create_hotel(slug="third", name="Third")
    # The hotel Alpha has two rooms on the same floor, so the unique constraint of the migration fails there. Alpha is
    # migrated first, so its failed migration provides no SQL script for the other hotels.
    sql.execute(
        "INSERT INTO hotel_alpha.locks_room (number, room_type, floor, capacity, fencing_token) "
        "VALUES ('1', 'A', 1, 2, 0), ('2', 'A', 1, 2, 0)"
    )
    add_migration("locks", [ADD_FLOOR_NOTE])
    unique = models.UniqueConstraint(fields=["floor"], name="locks_room_unique_floor")
    add_migration("locks", [migrations.AddConstraint("room", unique)])
    before = sql.dump_schema("hotel_alpha")
    result = migrate()
    assert result["code"] == 1
    assert result["migrated"] == ["beta", "third"]
    assert "locks_room_unique_floor" in result["failed"]["alpha"]
    assert sql.dump_schema("hotel_alpha") == before

    sql.execute("UPDATE hotel_alpha.locks_room SET floor = 2 WHERE number = '2'")
    assert migrate() == {"migrated": ["alpha"], "failed": {}, "untouched": 0, "repaired": [], "code": 0}


def test_data_migration_runs_once_in_the_context_of_each_hotel(add_migration: AddMigration) -> None:
    seen = []

    def fill(apps: Any, schema_editor: Any) -> None:
        seen.append(current_hotel().slug)
        apps.get_model("locks", "Room").objects.create(number="100", room_type="A", floor=1, capacity=2)

    add_migration("locks", [migrations.RunPython(fill)])
    add_migration("locks", [ADD_FLOOR_NOTE])
    assert migrate(jobs=2)["code"] == 0
    # "" is the template schema, whose rows are part of the script.
    assert sorted(seen) == ["", "alpha", "beta"]
    for schema in ("hotel_alpha", "hotel_beta"):
        assert sql.query(f"SELECT number, note FROM {schema}.locks_room") == [("100", "")]


def test_failing_data_migration_rolls_back_all_migrations_of_the_hotel(add_migration: AddMigration) -> None:
    def fail(apps: Any, schema_editor: Any) -> None:
        if current_hotel().slug == "alpha":
            raise ValueError("alpha fails")

    add_migration("locks", [ADD_FLOOR_NOTE])
    add_migration("locks", [migrations.RunPython(fail)])
    before = sql.dump_schema("hotel_alpha")
    result = migrate()
    assert (result["migrated"], result["failed"]) == (["beta"], {"alpha": "ValueError: alpha fails"})
    assert sql.dump_schema("hotel_alpha") == before
    with platform_context():
        alpha = Hotel.objects.get(slug="alpha")
    for context in (platform_context(), hotel_context(alpha)):
        with context:
            event = Event.objects.get(event="hotel.migration_failed")
        assert (event.subject_id, event.outcome) == (str(alpha.id), Outcome.FAILED)
        assert event.data["detail"]["error"] == "ValueError"


def test_migrate_creates_an_index_concurrently_in_every_schema(add_migration: AddMigration) -> None:
    index = models.Index(fields=["floor"], name="locks_room_floor")
    add_migration("locks", [AddIndexConcurrently("room", index)], atomic=False)
    assert migrate()["failed"] == {}
    rows = sql.query("SELECT schemaname FROM pg_indexes WHERE indexname = 'locks_room_floor' ORDER BY 1")
    assert [row[0] for row in rows] == ["hotel_alpha", "hotel_beta", schema_template.SCHEMA]


def test_migrate_with_a_failing_canary_hotel_does_not_migrate_the_other_hotels(
    add_migration: AddMigration,
) -> None:
    sql.execute("CREATE TABLE hotel_alpha.locks_tower ()")
    add_migration("locks", [migrations.CreateModel("Tower", [("id", models.BigAutoField(primary_key=True))])])
    result = migrate(canary="alpha")
    assert (result["migrated"], list(result["failed"]), result["untouched"]) == ([], ["alpha"], 1)
    assert result["code"] == 1


def test_migrate_with_a_successful_canary_hotel_migrates_the_other_hotels(
    add_migration: AddMigration,
) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    result = migrate(canary="beta")
    assert result["migrated"] == ["alpha", "beta"]


def test_migrate_with_the_option_hotel_migrates_only_this_hotel(add_migration: AddMigration) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    assert migrate(hotel=["beta"])["migrated"] == ["beta"]
    assert "note" not in columns("hotel_alpha")
    assert migrate()["migrated"] == ["alpha"]


def test_migrate_with_an_unknown_hotel_fails_with_a_usage_error() -> None:
    with pytest.raises(CommandError, match="Hotel not found: unknown") as caught:
        call_command("migrate", hotel=["unknown"])
    assert caught.value.returncode == 2


def test_migrate_during_another_migrate_is_refused() -> None:
    with direct_connection(), platform_context(), migration_lock.hold_migration_lock():
        caught: list[BaseException] = []

        def run_second() -> None:
            try:
                call_command("migrate", verbosity=0)
            except CommandError as error:
                caught.append(error)

        thread = threading.Thread(target=run_second)
        thread.start()
        thread.join()
    assert "Another migration" in str(caught[0])


def test_hotel_created_during_a_migration_is_migrated_too(
    add_migration: AddMigration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hotel is created after `migrate` began and before `migrate` lists the hotels.

    So the hotel has the old schema.
    """
    add_migration("locks", [ADD_FLOOR_NOTE])
    store_script = schema_template.store_script

    def create_hotel_and_store_script() -> str:
        thread = threading.Thread(target=lambda: services.create_hotel(slug="late", name="Late"))
        thread.start()
        thread.join()
        return store_script()

    monkeypatch.setattr(schema_template, "store_script", create_hotel_and_store_script)
    assert "late" in migrate()["migrated"]
    assert "note" in columns("hotel_late")


def test_storing_the_schema_script_waits_for_a_hotel_that_is_being_provisioned() -> None:
    """`migrate` calls `store_script`, and then lists the hotels to migrate.

    `store_script` waits until the hotel has been provisioned, so the list includes this hotel.
    """
    stored = threading.Event()

    def store() -> None:
        with direct_connection(), platform_context():
            schema_template.store_script()
        stored.set()

    with direct_connection(), platform_context():
        with transaction.atomic():
            list(Hotel.objects.raw("SELECT 1 AS id FROM tenants_schematemplate FOR NO KEY UPDATE"))
            thread = threading.Thread(target=store)
            thread.start()
            assert not stored.wait(2)
        assert stored.wait(20)
    thread.join()


def test_migrate_retries_when_a_table_is_locked_by_a_reader(add_migration: AddMigration) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    reading, finished = threading.Event(), threading.Event()

    def read() -> None:
        with direct_connection(), platform_context(), connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT count(*) FROM hotel_beta.locks_room")
            reading.set()
            finished.wait(3)
            cursor.execute("COMMIT")

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait(10)
    assert migrate()["failed"] == {}
    finished.set()
    thread.join()


@pytest.mark.parametrize("option", ["plan", "check_unapplied"])
def test_migrate_with_plan_or_check_changes_nothing(add_migration: AddMigration, option: str) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    if option == "check_unapplied":
        with pytest.raises(SystemExit) as caught:
            call_command("migrate", stdout=StringIO(), **{option: True})
        assert caught.value.code == 1
    else:
        call_command("migrate", stdout=StringIO(), **{option: True})
    assert "note" not in columns("hotel_alpha")


def test_migrate_with_plan_lists_the_hotels_and_their_operations(add_migration: AddMigration) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    out = StringIO()
    call_command("migrate", plan=True, stdout=out)
    assert "Hotels: alpha, beta" in out.getvalue()
    assert "Add field note to room" in out.getvalue()


def test_migrate_with_check_exits_with_code_0_if_no_migration_is_missing() -> None:
    migrate()
    call_command("migrate", check_unapplied=True, stdout=StringIO())


def test_migrate_with_an_app_label_reverses_a_migration_in_every_schema(add_migration: AddMigration) -> None:
    add_migration("locks", [ADD_FLOOR_NOTE])
    migrate()
    last = sql.query("SELECT name FROM hotel_alpha.django_migrations WHERE app = 'locks' ORDER BY name")[-2][
        0
    ]
    call_command("migrate", "locks", last, verbosity=0)
    for schema in ("hotel_alpha", "hotel_beta", schema_template.SCHEMA):
        assert "note" not in columns(schema)
    assert services.create_hotel(slug="third", name="Third")
    assert "note" not in columns("hotel_third")
    assert migrate()["migrated"] == ["alpha", "beta", "third"]

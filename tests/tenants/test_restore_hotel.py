"""Tests that `restore_hotel` restores all rows or none."""

import threading
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, migrations, models
from django.test import Client
from rest_framework.test import APIClient

from audit.models import Event
from locks import services as rooms
from locks.models import Room
from reminders.sending import batch
from tenants import host_routing, services
from tenants.context import hotel_context, platform_context
from tenants.database import roles
from tenants.database.connections import direct_connection
from tenants.database.logins import get_database_logins
from tenants.lifecycle.migration_lock import hold_migration_lock
from tenants.models import ContactIdentifier, Domain, Hotel
from tests.servers import MailServer
from tests.tenants import populated_hotel, sql
from tests.tenants.backups import DatabaseState, backup, delete, get_hotel, restore, sorted_dump
from tests.tenants.conftest import AddMigration
from tests.tenants.kill_command import kill_while_waiting_for_lock

pytestmark = pytest.mark.django_db(transaction=True)


def test_restore_hotel_restores_every_row_and_the_hotel_works(
    smtp: MailServer, file: Path, tmp_path: Path
) -> None:
    populated = populated_hotel.create_populated_hotel("sol", folder=tmp_path, smtp=smtp)
    hotel = populated.hotel
    before, shared_before = (
        populated_hotel.read_rows(hotel.schema),
        populated_hotel.read_shared_rows(hotel.id),
    )
    row_before = sql.query(
        "SELECT id, slug, name, schema, time_zone, language, schema_version, email, created_at "
        "FROM tenants_hotel WHERE slug = 'sol'"
    )
    schema_before = sorted_dump(hotel.schema)
    assert len(before["reminders_reservation"]) > 250
    assert all(
        before[table]
        for table in (
            "locks_room",
            "locks_allocation",
            "reminders_reminder",
            "dlq_failure",
            "audit_event",
            "tenants_apikey",
            "tenants_user",
        )
    )
    assert all(shared_before.values())

    backup(file, "sol")
    delete(hotel)
    assert hotel.schema not in sql.list_schemas()
    result = restore(file, suspended=True)

    assert result["keeps_id"]
    assert result["skipped_rows"] == {}
    assert populated_hotel.read_rows(hotel.schema) == before
    assert populated_hotel.read_shared_rows(hotel.id) == shared_before
    assert row_before == sql.query(
        "SELECT id, slug, name, schema, time_zone, language, schema_version, email, created_at "
        "FROM tenants_hotel WHERE slug = 'sol'"
    )
    assert sorted_dump(hotel.schema) == schema_before

    services.resume_hotel(hotel_id=hotel.id)
    assert host_routing.resolve("sol.localhost") == host_routing.resolve("hotel-sol.example") is not None
    browser = Client(SERVER_NAME="sol.localhost")
    login = {"username": "rosa", "password": populated_hotel.PASSWORD}
    assert browser.post("/admin/login/", login).status_code == 302
    client = APIClient(SERVER_NAME="sol.localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {populated.key}")
    assert client.get("/api/v1/reservations/").status_code == 200
    with hotel_context(hotel):
        highest = Room.objects.order_by("-id").values_list("id", flat=True)[0]
        rooms.ensure_rooms({"new": 1})
        assert Room.objects.get(room_type="new").id > highest
        # The reminder was sent before the backup and is not sent again.
        assert batch.send_due([populated.sent.id]).get("sent", 0) == 0
    assert len(smtp.to("zoraida@guests.example")) == 1
    with pytest.raises(Exception, match="append-only"):
        sql.execute(f"DELETE FROM {hotel.schema}.audit_event")


def test_restore_hotel_grants_the_same_privileges_as_provisioning(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    delete(sol)
    restore(file)
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        assert roles.find_privilege_drift(cursor, get_database_logins(cursor)) == []


def test_restore_hotel_creates_the_same_schema_as_provisioning(sol: Hotel, file: Path) -> None:
    provisioned = sorted_dump(services.create_hotel(slug="luna", name="Luna").schema)
    backup(file, "sol")
    delete(sol)
    restore(file)
    assert sorted_dump("hotel_sol") == provisioned
    restore(file, slug="sol-again")
    assert sorted_dump("hotel_sol_again") == provisioned


def test_restore_hotel_records_the_digest_of_the_file(sol: Hotel, file: Path) -> None:
    digest = backup(file, "sol")["sha256"]
    delete(sol)
    restore(file)
    with platform_context():
        event = Event.objects.get(event="hotel.restored")
    assert (event.subject_id, event.data["slug"]) == (str(sol.id), "sol")
    assert event.data["detail"]["sha256"] == digest
    assert event.description.endswith("restored the hotel sol from a backup")


def test_restore_hotel_does_not_rename_a_column_named_like_the_schema(file: Path) -> None:
    """The hotel with the slug `id` has the schema `hotel_id`. Columns with the name `hotel_id` must not be renamed."""
    hotel = services.create_hotel(slug="id", name="Id")
    sql.execute(
        f"ALTER TABLE {hotel.schema}.locks_room ADD COLUMN hotel_id text DEFAULT 'hotel_id' CHECK (hotel_id <> '')"
    )
    backup(file, "id")
    restore(file, slug="other-one")
    defaults = sql.query(
        "SELECT column_default FROM information_schema.columns "
        "WHERE table_schema = 'hotel_other_one' AND column_name = 'hotel_id'"
    )
    assert defaults == [("'hotel_id'::text",)]


# Migrations


def test_restore_hotel_from_an_older_backup_migrates_the_hotel_before_activation(
    sol: Hotel, file: Path, add_migration: AddMigration
) -> None:
    backup(file, "sol")
    delete(sol)
    field = models.CharField(max_length=20, default="", db_default="")
    add_migration("locks", [migrations.AddField("room", "note", field)])
    call_command("migrate", verbosity=0)
    assert restore(file)["status"] == "active"
    assert get_hotel("sol").schema_version == get_hotel("alpha").schema_version
    assert sql.query(
        "SELECT 1 FROM information_schema.columns WHERE table_schema = 'hotel_sol' AND column_name = 'note'"
    )
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        assert roles.find_privilege_drift(cursor, get_database_logins(cursor)) == []


def test_restore_hotel_with_a_failing_migration_keeps_the_hotel_suspended(
    sol: Hotel, file: Path, add_migration: AddMigration
) -> None:
    with hotel_context(sol):
        rooms.ensure_rooms({"single": 2})
    backup(file, "sol")
    delete(sol)
    constraint = models.UniqueConstraint(fields=["room_type"], name="locks_room_type_once")
    add_migration("locks", [migrations.AddConstraint("room", constraint)])
    call_command("migrate", verbosity=0)
    result = restore(file)
    assert result["status"] == "suspended"
    assert "migrate --hotel sol" in result["suspension_reasons"][0]
    assert len(populated_hotel.read_rows("hotel_sol")["locks_room"]) == 2


def test_restore_hotel_from_a_backup_of_a_later_version_is_refused(
    sol: Hotel, file: Path, tmp_path: Path
) -> None:
    sql.execute(
        "INSERT INTO hotel_sol.django_migrations (app, name, applied) VALUES ('locks', '0099_suites', now())"
    )
    sql.execute(
        "UPDATE tenants_hotel SET schema_version = (SELECT left(encode(sha256(convert_to("
        "string_agg(app || '.' || name, E'\\n' ORDER BY (app || '.' || name) COLLATE \"C\"), 'UTF8')), 'hex'), 32) "
        "FROM hotel_sol.django_migrations) "
        "WHERE slug = 'sol'"
    )
    backup(file, "sol")
    state = DatabaseState()
    with pytest.raises(CommandError, match=r"does not have its migrations locks\.0099_suites.*or later"):
        restore(file, slug="sol-copy")
    assert state.is_unchanged()


def test_restore_hotel_into_an_unmigrated_database_is_refused(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    sql.execute("DROP TABLE tenants_schematemplate")
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        restore(file, slug="sol-copy")


# Conflicts


def test_restore_hotel_with_a_slug_in_use_is_refused(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    state = DatabaseState()
    with pytest.raises(CommandError, match=r"--slug sol-restored.*erase_hotel sol"):
        restore(file)
    with pytest.raises(CommandError, match="The hotel 'alpha' already exists"):
        restore(file, slug="ALPHA")
    assert state.is_unchanged()


def test_restore_hotel_with_an_invalid_slug_fails_with_a_usage_error(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    with pytest.raises(CommandError, match="reserved") as caught:
        restore(file, slug="staging")
    assert caught.value.returncode == 2


def test_restore_hotel_whose_domain_another_hotel_uses_is_refused(
    sol: Hotel, other_hotel: Hotel, file: Path
) -> None:
    backup(file, "sol")
    delete(sol)
    services.add_domain(hotel_id=other_hotel.id, host="hotel-sol.example")
    state = DatabaseState()
    with pytest.raises(CommandError, match=r"hotel-sol\.example \(beta\).*--slug sol-restored"):
        restore(file)
    assert state.is_unchanged()
    assert restore(file, slug="sol-restored")["skipped_rows"] == {"tenants_domain": 1}


def test_restore_hotel_skips_a_contact_that_another_hotel_has(
    sol: Hotel, other_hotel: Hotel, file: Path
) -> None:
    with platform_context():
        for value in ("a@example.com", "b@example.com"):
            ContactIdentifier.objects.create(hotel=sol, kind="email", value=value)
    backup(file, "sol")
    delete(sol)
    with platform_context():
        ContactIdentifier.objects.create(hotel=other_hotel, kind="email", value="a@example.com")
    assert restore(file)["skipped_rows"] == {"tenants_contactidentifier": 1}
    with platform_context():
        owners = dict(ContactIdentifier.objects.values_list("value", "hotel__slug"))
        assert owners == {"a@example.com": "beta", "b@example.com": "sol"}
        assert Domain.objects.get(host="hotel-sol.example").hotel.slug == "sol"


def test_restore_hotel_during_a_migration_is_refused(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    state = DatabaseState()
    caught: list[CommandError] = []

    def try_restore() -> None:
        try:
            restore(file, slug="sol-copy")
        except CommandError as error:
            caught.append(error)
        finally:
            connection.close()

    with direct_connection(), platform_context(), hold_migration_lock():
        thread = threading.Thread(target=try_restore)
        thread.start()
        thread.join()
    assert "Another migration" in str(caught[0])
    assert state.is_unchanged()


def test_killed_restore_hotel_leaves_nothing_behind_and_can_be_repeated(sol: Hotel, file: Path) -> None:
    """The command is killed while it waits for a lock.

    By then the command has created the schema, the rows and the role.
    """
    with hotel_context(sol):
        rooms.ensure_rooms({"single": 20})
    backup(file, "sol")
    delete(sol)
    state = DatabaseState()
    kill_while_waiting_for_lock("restore_hotel", str(file), lock="LOCK TABLE tenants_hotel IN SHARE MODE")
    assert state.is_unchanged()
    assert restore(file)["status"] == "active"
    assert len(populated_hotel.read_rows("hotel_sol")["locks_room"]) == 20

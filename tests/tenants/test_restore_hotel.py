"""Restoring a hotel: every row as it was, or nothing at all."""

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
from reminders.sending import delivery
from tenants import host_routing, services
from tenants.context import hotel_context, platform_context
from tenants.database import roles
from tenants.database.connections import direct_connection
from tenants.database.logins import get_database_logins
from tenants.lifecycle.migration_lock import hold_migration_lock
from tenants.models import ContactIdentifier, Domain, Hotel
from tests.servers import MailServer
from tests.tenants import lived_in, sql
from tests.tenants.backups import Traces, backup, erase, hotel_called, letters, restore
from tests.tenants.conftest import AddMigration
from tests.tenants.killing import kill_where_it_waits

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_hotel_comes_back_row_by_row(smtp: MailServer, file: Path, tmp_path: Path) -> None:
    lived = lived_in.lived_in("sol", folder=tmp_path, smtp=smtp)
    hotel = lived.hotel
    before, shared_before = lived_in.everything(hotel.schema), lived_in.shared(hotel.id)
    row_before = sql.ask(
        "SELECT id, slug, name, schema, time_zone, language, schema_version, email, created_at "
        "FROM tenants_hotel WHERE slug = 'sol'"
    )
    schema_before = letters(hotel.schema)
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
    erase(hotel)
    assert hotel.schema not in sql.schemas()
    told = restore(file, suspended=True)

    assert told["keeps_id"]
    assert told["skipped_rows"] == {}
    assert lived_in.everything(hotel.schema) == before
    assert lived_in.shared(hotel.id) == shared_before
    assert row_before == sql.ask(
        "SELECT id, slug, name, schema, time_zone, language, schema_version, email, created_at "
        "FROM tenants_hotel WHERE slug = 'sol'"
    )
    assert letters(hotel.schema) == schema_before

    # It is alive.
    services.resume_hotel(hotel_id=hotel.id)
    assert host_routing.resolve("sol.localhost") == host_routing.resolve("hotel-sol.example") is not None
    browser = Client(SERVER_NAME="sol.localhost")
    login = {"username": "rosa", "password": lived_in.PASSWORD}
    assert browser.post("/admin/login/", login).status_code == 302
    client = APIClient(SERVER_NAME="sol.localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {lived.key}")
    assert client.get("/api/v1/reservations/").status_code == 200
    with hotel_context(hotel):
        highest = Room.objects.order_by("-id").values_list("id", flat=True)[0]
        rooms.ensure_rooms({"new": 1})
        assert Room.objects.get(room_type="new").id > highest
        # What went does not go again.
        assert delivery.send_due([lived.sent.id]).get("sent", 0) == 0
    assert len(smtp.to("zoraida@guests.example")) == 1
    with pytest.raises(Exception, match="append-only"):
        sql.run(f"DELETE FROM {hotel.schema}.audit_event")


def test_its_walls_are_those_of_any_hotel(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    erase(sol)
    restore(file)
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        assert roles.find_privilege_drift(cursor, get_database_logins(cursor)) == []


def test_its_schema_is_a_provisioned_one_to_the_letter(sol: Hotel, file: Path) -> None:
    provisioned = letters(services.create_hotel(slug="luna", name="Luna").schema)
    backup(file, "sol")
    erase(sol)
    restore(file)
    assert letters("hotel_sol") == provisioned
    restore(file, slug="sol-again")
    assert letters("hotel_sol_again") == provisioned


def test_the_platforms_trail_says_from_which_file(sol: Hotel, file: Path) -> None:
    digest = backup(file, "sol")["sha256"]
    erase(sol)
    restore(file)
    with platform_context():
        event = Event.objects.get(event="hotel.restored")
    assert (event.subject_id, event.data["slug"]) == (str(sol.id), "sol")
    assert event.data["detail"]["sha256"] == digest
    assert event.description.endswith("restored the hotel sol from a backup")


def test_a_slug_that_is_a_word_of_the_schema_harms_nothing(file: Path) -> None:
    """Its schema is hotel_id, which would be a good name for a column."""
    hotel = services.create_hotel(slug="id", name="Id")
    sql.run(
        f"ALTER TABLE {hotel.schema}.locks_room ADD COLUMN hotel_id text DEFAULT 'hotel_id' CHECK (hotel_id <> '')"
    )
    backup(file, "id")
    restore(file, slug="other-one")
    found = sql.ask(
        "SELECT column_default FROM information_schema.columns "
        "WHERE table_schema = 'hotel_other_one' AND column_name = 'hotel_id'"
    )
    assert found == [("'hotel_id'::text",)]


# Migrations


def test_an_older_backup_is_migrated_before_it_opens(
    sol: Hotel, file: Path, add_migration: AddMigration
) -> None:
    backup(file, "sol")
    erase(sol)
    field = models.CharField(max_length=20, default="", db_default="")
    add_migration("locks", [migrations.AddField("room", "note", field)])
    call_command("migrate", verbosity=0)
    assert restore(file)["status"] == "active"
    assert hotel_called("sol").schema_version == hotel_called("alpha").schema_version
    assert sql.ask(
        "SELECT 1 FROM information_schema.columns WHERE table_schema = 'hotel_sol' AND column_name = 'note'"
    )
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        assert roles.find_privilege_drift(cursor, get_database_logins(cursor)) == []


def test_where_migrating_fails_it_stays_suspended_and_says_what_to_do(
    sol: Hotel, file: Path, add_migration: AddMigration
) -> None:
    with hotel_context(sol):
        rooms.ensure_rooms({"single": 2})
    backup(file, "sol")
    erase(sol)
    once = models.UniqueConstraint(fields=["room_type"], name="locks_room_type_once")
    add_migration("locks", [migrations.AddConstraint("room", once)])
    call_command("migrate", verbosity=0)
    told = restore(file)
    assert told["status"] == "suspended"
    assert "migrate --hotel sol" in told["suspension_reasons"][0]
    assert len(lived_in.everything("hotel_sol")["locks_room"]) == 2


def test_a_backup_of_newer_code_is_refused(sol: Hotel, file: Path, tmp_path: Path) -> None:
    sql.run(
        "INSERT INTO hotel_sol.django_migrations (app, name, applied) VALUES ('locks', '0099_suites', now())"
    )
    sql.run(
        "UPDATE tenants_hotel SET schema_version = (SELECT left(encode(sha256(convert_to("
        "string_agg(app || '.' || name, E'\\n' ORDER BY (app || '.' || name) COLLATE \"C\"), 'UTF8')), 'hex'), 32) "
        "FROM hotel_sol.django_migrations) "
        "WHERE slug = 'sol'"
    )
    backup(file, "sol")
    traces = Traces()
    with pytest.raises(CommandError, match=r"does not have: locks\.0099_suites.*or later"):
        restore(file, slug="sol-copy")
    assert traces.are_none()


def test_a_database_that_was_never_migrated_is_told(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    sql.run("DROP TABLE tenants_schematemplate")
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        restore(file, slug="sol-copy")


# What stands in the way


def test_a_slug_that_is_taken_is_refused(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    traces = Traces()
    with pytest.raises(CommandError, match=r"--slug sol-restored.*erase_hotel sol"):
        restore(file)
    with pytest.raises(CommandError, match="There is a hotel 'alpha' here"):
        restore(file, slug="ALPHA")
    assert traces.are_none()


def test_a_slug_that_can_not_be_is_wrong_usage(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    with pytest.raises(CommandError, match="reserved") as caught:
        restore(file, slug="staging")
    assert caught.value.returncode == 2


def test_a_domain_that_another_hotel_has_is_refused(sol: Hotel, other_hotel: Hotel, file: Path) -> None:
    backup(file, "sol")
    erase(sol)
    services.add_domain(hotel_id=other_hotel.id, host="hotel-sol.example")
    traces = Traces()
    with pytest.raises(CommandError, match=r"hotel-sol\.example \(beta\).*--slug sol-restored"):
        restore(file)
    assert traces.are_none()
    assert restore(file, slug="sol-restored")["skipped_rows"] == {"tenants_domain": 1}


def test_a_contact_that_another_hotel_has_stays_there(sol: Hotel, other_hotel: Hotel, file: Path) -> None:
    with platform_context():
        for value in ("a@example.com", "b@example.com"):
            ContactIdentifier.objects.create(hotel=sol, kind="email", value=value)
    backup(file, "sol")
    erase(sol)
    with platform_context():
        ContactIdentifier.objects.create(hotel=other_hotel, kind="email", value="a@example.com")
    assert restore(file)["skipped_rows"] == {"tenants_contactidentifier": 1}
    with platform_context():
        owners = dict(ContactIdentifier.objects.values_list("value", "hotel__slug"))
        assert owners == {"a@example.com": "beta", "b@example.com": "sol"}
        assert Domain.objects.get(host="hotel-sol.example").hotel.slug == "sol"


def test_it_waits_for_no_migration_and_disturbs_none(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    traces = Traces()
    caught: list[CommandError] = []

    def try_it() -> None:
        try:
            restore(file, slug="sol-copy")
        except CommandError as error:
            caught.append(error)
        finally:
            connection.close()

    with direct_connection(), platform_context(), hold_migration_lock():
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert "`migrate`" in str(caught[0])
    assert traces.are_none()


def test_killed_in_the_middle_it_leaves_nothing_and_can_be_run_again(sol: Hotel, file: Path) -> None:
    """It waits when schema, rows and role are made, and gets kill -9 there."""
    with hotel_context(sol):
        rooms.ensure_rooms({"single": 20})
    backup(file, "sol")
    erase(sol)
    traces = Traces()
    kill_where_it_waits("restore_hotel", str(file), lock="LOCK TABLE tenants_hotel IN SHARE MODE")
    assert traces.are_none()
    assert restore(file)["status"] == "active"
    assert len(lived_in.everything("hotel_sol")["locks_room"]) == 20

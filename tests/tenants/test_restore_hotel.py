"""Restoring a hotel: every row as it was, or nothing at all; and no mail twice."""

import json
import random
import re
import threading
import zipfile
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, migrations, models
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import Event
from hotelagent.ids import uuid7
from locks import services as rooms
from locks.models import Room
from reminders import delivery
from tenants import due, erasing, roles, routing, services, tasks
from tenants.backup import archive
from tenants.backup.errors import BackupDamaged, BackupTooNew, NotABackup
from tenants.context import hotel_context, platform_context
from tenants.fleet.locks import deploy_lock
from tenants.models import ContactIdentifier, Domain, DueItem, Hotel
from tenants.routes import direct_route
from tests.servers import MailServer
from tests.tenants import lived_in, sql
from tests.tenants.conftest import AddMigration
from tests.tenants.killing import kill_where_it_waits
from tests.tenants.test_backup_hotel import backup

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sol.hotel"


@pytest.fixture
def sol() -> Hotel:
    return services.create_hotel(
        slug="sol", name="Hotel Sol", time_zone="Europe/Madrid", language="es", domains=["hotel-sol.example"]
    )


def restore(file: Path, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("restore_hotel", file, json=True, stdout=out, **options)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def erase(hotel: Hotel) -> None:
    with platform_context():
        if Hotel.objects.get(id=hotel.id).status == "active":
            services.suspend_hotel(hotel_id=hotel.id)
    erasing.erase_hotel(hotel_id=hotel.id, confirm=hotel.slug)


def letters(schema: str) -> list[str]:
    """Its dump, in no order: rows come back in that of their keys."""
    return sorted(sql.dump(schema).splitlines())


def hotel_called(slug: str) -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug=slug)


class Traces:
    """What stands in the database before, so that a failed restore can be seen to have left nothing."""

    def __init__(self) -> None:
        self.before = self._now()

    def _now(self) -> tuple[Any, ...]:
        tables = ("tenants_hotel", "tenants_domain", "tenants_contactidentifier", "tenants_dueitem")
        rows = [sql.ask(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]
        # Roles are the whole server's, and others make hotels meanwhile.
        roles_here = sql.ask(
            "SELECT DISTINCT r.rolname FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid "
            "JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() ORDER BY 1"
        )
        return sql.schemas(), roles_here, rows

    def are_none(self) -> bool:
        return self.before == self._now() and not sql.ask(
            "SELECT 1 FROM audit_event WHERE event = 'hotel.restored'"
        )


# All of it


def test_a_hotel_comes_back_row_by_row(smtp: MailServer, file: Path, tmp_path: Path) -> None:
    lived = lived_in.lived_in("sol", folder=tmp_path, smtp=smtp)
    hotel = lived.hotel
    before, shared_before = lived_in.everything(hotel.schema), lived_in.shared(hotel.id)
    row_before = sql.ask(
        "SELECT id, slug, name, schema, time_zone, language, migrated, email, created_at "
        "FROM tenants_hotel WHERE slug = 'sol'"
    )
    schema_before = letters(hotel.schema)
    assert len(before["reminders_reservation"]) > 250
    assert all(
        before[table]
        for table in (
            "locks_room",
            "locks_stay",
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

    assert told["same_id"]
    assert told["left_out"] == {}
    assert lived_in.everything(hotel.schema) == before
    assert lived_in.shared(hotel.id) == shared_before
    assert row_before == sql.ask(
        "SELECT id, slug, name, schema, time_zone, language, migrated, email, created_at "
        "FROM tenants_hotel WHERE slug = 'sol'"
    )
    assert letters(hotel.schema) == schema_before

    # It is alive.
    services.resume_hotel(hotel_id=hotel.id)
    assert routing.resolve("sol.localhost") == routing.resolve("hotel-sol.example") is not None
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
    with direct_route(), platform_context(), connection.cursor() as cursor:
        assert roles.drifted_hotels(cursor, roles.logins(cursor)) == []


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
    assert event.sentence.endswith("restored the hotel sol from a backup")


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


# Open or suspended


def overdue(hotel: Hotel) -> None:
    with hotel_context(hotel):
        due.schedule(kind="reminder", items=[(uuid7(), timezone.now())])


def test_it_opens_by_itself_where_nothing_can_be_done_twice(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    erase(sol)
    assert restore(file)["status"] == "active"
    assert routing.resolve("sol.localhost") is not None


def test_what_became_due_since_the_backup_keeps_it_suspended(sol: Hotel, file: Path) -> None:
    """The reminder may have gone after the backup was made: nobody here can know."""
    overdue(sol)
    backup(file, "sol")
    erase(sol)
    told = restore(file)
    assert told["status"] == "suspended"
    assert "may have been done after the backup" in told["suspended_because"][0]
    assert routing.resolve("sol.localhost").status == "suspended"  # type: ignore[union-attr]
    with platform_context():
        assert due.claim() == []
    services.resume_hotel(hotel_id=sol.id)
    with platform_context():
        item = DueItem.objects.get(hotel_id=sol.id)
        assert item.claim_at == item.due_at


def test_what_was_due_can_be_forgotten(sol: Hotel, file: Path) -> None:
    """Then nothing can be done twice, and it opens."""
    overdue(sol)
    later = uuid7()
    with hotel_context(sol):
        due.schedule(kind="reminder", items=[(later, timezone.now() + timedelta(hours=1))])
    backup(file, "sol")
    erase(sol)
    told = restore(file, forget_due=True)
    assert (told["status"], told["forgotten"]) == ("active", 1)
    with platform_context():
        assert DueItem.objects.get(hotel_id=sol.id).item_id == later


def test_it_stays_suspended_where_asked_or_where_it_was(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    erase(sol)
    assert restore(file, suspended=True)["suspended_because"] == ["you asked for it"]
    backup(file, "sol", force=True)
    erase(sol)
    assert restore(file)["suspended_because"] == ["it was suspended when it was backed up"]


def test_a_copy_beside_the_original_writes_to_nobody(smtp: MailServer, file: Path, tmp_path: Path) -> None:
    lived = lived_in.lived_in("sol", folder=tmp_path, smtp=smtp)
    before = lived_in.everything(lived.hotel.schema)
    shared_before = lived_in.shared(lived.hotel.id)
    backup(file, "sol")
    out = StringIO()
    call_command("restore_hotel", file, slug="sol-copy", stdout=out)
    copy = hotel_called("sol-copy")
    assert (copy.status, copy.schema, copy.id == lived.hotel.id) == ("suspended", "hotel_sol_copy", False)
    assert "it would write to them too" in out.getvalue()
    assert "resume_hotel sol-copy" in out.getvalue()
    assert lived_in.everything(copy.schema) == before
    assert lived_in.shared(copy.id)["tenants_dueitem"] == shared_before["tenants_dueitem"]
    # Domains and contacts are unique here: the original keeps them.
    assert "1 rows of tenants_domain" in out.getvalue()
    assert lived_in.shared(lived.hotel.id) == shared_before
    assert (
        lived_in.shared(copy.id)["tenants_domain"]
        == lived_in.shared(copy.id)["tenants_contactidentifier"]
        == []
    )
    already = len(smtp.accepted)
    with platform_context():
        tasks.tick()
    assert len(smtp.accepted) == already
    with direct_route(), platform_context(), connection.cursor() as cursor:
        assert roles.drifted_hotels(cursor, roles.logins(cursor)) == []


def test_a_backup_of_another_deployment_stays_suspended(sol: Hotel, file: Path, settings: Any) -> None:
    settings.PLATFORM_HOST = "hotels.example"
    backup(file, "sol")
    settings.PLATFORM_HOST = "localhost"
    erase(sol)
    assert "backed up at hotels.example" in restore(file)["suspended_because"][0]


def test_a_database_without_roles_takes_it_too(sol: Hotel, file: Path, settings: Any) -> None:
    backup(file, "sol")
    erase(sol)
    settings.DATABASE_ROLES = False
    assert restore(file)["status"] == "active"
    assert sol.role not in sql.hotel_roles()
    assert "hotel_sol" in sql.schemas()


def test_a_role_that_leads_into_another_database_is_not_shared(hotel: Hotel, file: Path) -> None:
    """Every worker's database is a copy of the same one, so alpha's role is at work in the template as well."""
    backup(file)
    with platform_context():
        Hotel.objects.filter(id=hotel.id).delete()
    sql.run("DROP SCHEMA hotel_alpha CASCADE")
    told = restore(file)
    assert not told["same_id"]
    assert told["id"] != str(hotel.id)


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
    assert hotel_called("sol").migrated == hotel_called("alpha").migrated
    assert sql.ask(
        "SELECT 1 FROM information_schema.columns WHERE table_schema = 'hotel_sol' AND column_name = 'note'"
    )
    with direct_route(), platform_context(), connection.cursor() as cursor:
        assert roles.drifted_hotels(cursor, roles.logins(cursor)) == []


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
    assert "migrate --hotel sol" in told["suspended_because"][0]
    assert len(lived_in.everything("hotel_sol")["locks_room"]) == 2


def test_a_backup_of_newer_code_is_refused(sol: Hotel, file: Path, tmp_path: Path) -> None:
    sql.run(
        "INSERT INTO hotel_sol.django_migrations (app, name, applied) VALUES ('locks', '0099_suites', now())"
    )
    sql.run(
        "UPDATE tenants_hotel SET migrated = (SELECT left(encode(sha256(convert_to(string_agg(app || '.' || name, "
        "E'\\n' ORDER BY (app || '.' || name) COLLATE \"C\"), 'UTF8')), 'hex'), 32) FROM hotel_sol.django_migrations) "
        "WHERE slug = 'sol'"
    )
    backup(file, "sol")
    traces = Traces()
    with pytest.raises(CommandError, match=r"does not have: locks\.0099_suites.*or later"):
        restore(file, slug="sol-copy")
    assert traces.are_none()


def test_a_database_that_was_never_migrated_is_told(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    sql.run("DROP TABLE tenants_template")
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
    assert restore(file, slug="sol-restored")["left_out"] == {"tenants_domain": 1}


def test_a_contact_that_another_hotel_has_stays_there(sol: Hotel, other_hotel: Hotel, file: Path) -> None:
    with platform_context():
        for value in ("a@example.com", "b@example.com"):
            ContactIdentifier.objects.create(hotel=sol, kind="email", value=value)
    backup(file, "sol")
    erase(sol)
    with platform_context():
        ContactIdentifier.objects.create(hotel=other_hotel, kind="email", value="a@example.com")
    assert restore(file)["left_out"] == {"tenants_contactidentifier": 1}
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

    with direct_route(), platform_context(), deploy_lock():
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert "`migrate`" in str(caught[0])
    assert traces.are_none()


# The file


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be read: No such file") as caught:
        restore(tmp_path / "nothing.hotel")
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="can't be read: Is a directory"):
        restore(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"-- PostgreSQL database dump\n", b"PK\x03\x04" + b"\0" * 600, bytes(70_000)]
)
def test_another_file_is_no_backup(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(CommandError, match="is not a file that `backup_hotel` wrote"):
        restore(file)


def test_another_zip_is_no_backup(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("manifest.json", "{}")
    with pytest.raises(CommandError, match="is not a file that `backup_hotel` wrote"):
        restore(file)


def test_a_truncated_file_is_told_wherever_it_ends(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    whole, traces = file.read_bytes(), Traces()
    for kept in (200, len(whole) // 2, len(whole) - 65, len(whole) - 1):
        file.write_bytes(whole[:kept])
        with pytest.raises(CommandError, match=r"cut off|checksum"):
            restore(file, slug="sol-copy")
    assert traces.are_none()


def test_one_flipped_bit_is_found_wherever_it_is(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    whole, chance = file.read_bytes(), random.Random(7)  # noqa: S311
    for place in [0, 70, len(whole) - 1, len(whole) - 70, *chance.sample(range(len(whole)), 60)]:
        changed = bytearray(whole)
        changed[place] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        with (
            pytest.raises((BackupDamaged, NotABackup, BackupTooNew)),
            archive.opened(file),
        ):
            pass


def test_a_later_format_says_which_version_reads_it(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    file.write_bytes(
        file.read_bytes().replace(
            b"format 1, made by hotelagent 0.1.0", b"format 2, made by hotelagent 3.2.1"
        )
    )
    with pytest.raises(CommandError, match=r"Restore it with hotelagent 3\.2\.1 or later"):
        restore(file, slug="sol-copy")


def forge(file: Path, change: Any) -> None:
    """The backup with other members, and seals that fit them: what a checksum can't find."""
    with zipfile.ZipFile(file) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    change(members)
    with file.open("w+b") as out:
        with zipfile.ZipFile(out, "w") as packed:
            packed.comment = b"sha256:" + b"0" * 64
            for name, content in members.items():
                packed.writestr(zipfile.ZipInfo(name), content)
        seal, _whole = archive._digests(out)
        out.seek(-64, 2)
        out.write(seal.encode())


def test_rows_that_are_not_those_of_the_manifest_are_found(sol: Hotel, file: Path) -> None:
    with hotel_context(sol):
        rooms.ensure_rooms({"single": 2})
    backup(file, "sol")

    def change(members: dict[str, bytes]) -> None:
        members["rows/locks_room"] = members["rows/locks_room"].replace(b"single", b"double")

    forge(file, change)
    traces = Traces()
    with pytest.raises(CommandError, match="these tables differ from the file: locks_room"):
        restore(file, slug="sol-copy")
    assert traces.are_none()


def test_what_the_database_refuses_leaves_nothing(sol: Hotel, file: Path) -> None:
    """As a newer server's SQL would on an older one."""
    backup(file, "sol")

    def change(members: dict[str, bytes]) -> None:
        members["schema/after.sql"] += b"\nALTER TABLE nonsense FROM THE FUTURE;"
        members["manifest.json"] = re.sub(
            rb'"server_version": \d+', b'"server_version": 990001', members["manifest.json"]
        )

    forge(file, change)
    traces = Traces()
    with pytest.raises(CommandError, match=r"(?s)nonsense.*Nothing is restored.*comes from PostgreSQL 99"):
        restore(file, slug="sol-copy")
    assert traces.are_none()


def test_a_manifest_that_makes_no_sense_is_told(sol: Hotel, file: Path) -> None:
    backup(file, "sol")

    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = b'{"tables": [], "sequences": [], "shared": []}'

    forge(file, change)
    with pytest.raises(CommandError, match="manifest"):
        restore(file)


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

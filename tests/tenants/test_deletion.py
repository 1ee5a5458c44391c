"""Tests that a hotel is deleted completely or not at all, and that the deletion verifies that nothing remains."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any
from unittest import mock

import psycopg
import pytest
import redis
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection

from audit.models import Event
from hotelagent.core.ids import uuid7
from tenants import host_routing, services
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.database.logins import MEMBERSHIP_OPTIONS_SINCE
from tenants.errors import DeletionConflict, HotelNotFound, MigrationConflict, RedisUnavailable
from tenants.lifecycle import deletion, migration_lock
from tenants.models import ContactIdentifier, Domain, DueItem, Hotel, User
from tenants.signals import hotel_deleted
from tests.servers import with_database
from tests.tenants import sql
from tests.tenants.kill_command import kill_while_waiting_for_lock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sol() -> Hotel:
    """Return a suspended hotel that has rows in its schema and in the shared tables, and a key in Redis."""
    hotel = services.create_hotel(slug="sol", name="Sol", domains=["sol.example"])
    with hotel_context(hotel):
        User.objects.create_user(username="ana-ruiz", password=None, role="manager")
        cache.set("note", "Ana's")
    with platform_context():
        ContactIdentifier.objects.create(hotel=hotel, kind="email", value="guest@example.com")
    sql.execute(
        "INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims) "
        f"VALUES ('{hotel.id}', 'hold', '{uuid7()}', now(), now(), 0)"
    )
    return services.suspend_hotel(hotel_id=hotel.id)


def erase_hotel(**options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("erase_hotel", "sol", json=True, stdout=out, **options)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def is_complete(hotel: Hotel) -> bool:
    """Return whether everything that the fixture `sol` created still exists and no deletion event is recorded."""
    with platform_context():
        return (
            hotel.schema in sql.list_schemas()
            and hotel.role in sql.list_hotel_roles()
            and Hotel.objects.filter(id=hotel.id, status="suspended").exists()
            and ContactIdentifier.objects.filter(hotel=hotel).exists()
            and not Event.objects.filter(event="hotel.deleted").exists()
        )


def test_erase_hotel_deletes_schema_role_rows_and_redis_keys(sol: Hotel, redis_url: str) -> None:
    prefix = django_settings.REDIS_KEY_PREFIX
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{prefix}:throttle:{sol.schema}:0123", "1")
        client.set(f"{prefix}:throttle:hotel_alpha:0123", "1")
        client.set("hotelagent:other.example:throttle:hotel_sol:0123", "1")  # a key of another deployment
        certificate = erase_hotel(confirm="sol")
        assert client.keys(f"{prefix}:*{sol.id}*") == client.keys(f"{prefix}:*{sol.schema}*") == []
        assert client.exists(f"{prefix}:throttle:hotel_alpha:0123")
        assert client.exists("hotelagent:other.example:throttle:hotel_sol:0123")
    assert sol.schema not in sql.list_schemas()
    assert sol.role not in sql.list_hotel_roles()
    with platform_context():
        for model in (DueItem, ContactIdentifier, Domain):
            assert not model.objects.filter(hotel_id=sol.id).exists()
        assert set(Hotel.objects.values_list("slug", flat=True)) == {"alpha", "beta"}
    assert host_routing.resolve("sol.localhost") is None
    assert certificate["tables"]["tenants_user"] == 1
    assert {table: count for table, count in certificate["shared"].items() if count} == {
        "tenants_contactidentifier": 1,
        "tenants_domain": 1,
        "tenants_dueitem": 1,
    }
    assert certificate["redis_keys"] == 2


def test_erase_hotel_records_a_deletion_certificate_without_personal_data(sol: Hotel) -> None:
    certificate = erase_hotel(confirm="sol")
    with platform_context():
        event = Event.objects.get(event="hotel.deleted")
    assert (event.actor_kind, event.actor_id) == ("command", "erase_hotel")
    assert (event.subject_kind, event.subject_id) == ("hotel", str(sol.id))
    assert event.data == {"slug": "sol", "detail": certificate}
    assert "guest@" not in json.dumps(event.data)
    assert "ana-ruiz" not in json.dumps(event.data)
    assert event.description.endswith("deleted the hotel sol")


def test_slug_of_a_deleted_hotel_can_be_used_again(sol: Hotel) -> None:
    erase_hotel(confirm="sol")
    assert services.create_hotel(slug="sol", name="Another").schema == "hotel_sol"


def test_erase_hotel_refuses_an_active_hotel(sol: Hotel) -> None:
    services.resume_hotel(hotel_id=sol.id)
    with pytest.raises(CommandError, match="suspend_hotel sol"):
        erase_hotel(confirm="sol")
    assert host_routing.resolve("sol.localhost") is not None


@pytest.mark.parametrize("slug", ["", "SOL", "sol ", "alpha"])
def test_erase_hotel_with_another_slug_as_confirmation_is_refused(sol: Hotel, slug: str) -> None:
    with pytest.raises(CommandError, match="is not the hotel's slug, 'sol'"):
        erase_hotel(confirm=slug)
    assert is_complete(sol)


def test_erase_hotel_without_a_terminal_requires_the_option_confirm(
    sol: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO())
    with pytest.raises(CommandError, match="--confirm sol") as caught:
        erase_hotel()
    assert caught.value.returncode == 2
    assert is_complete(sol)


def test_erase_hotel_on_a_terminal_prompts_for_the_slug(sol: Hotel, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = mock.Mock(isatty=lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr("builtins.input", lambda _prompt: "sol")
    assert erase_hotel()["slug"] == "sol"


def test_deletion_of_an_unknown_hotel_raises_an_error() -> None:
    with pytest.raises(CommandError, match="no hotel"):
        erase_hotel(confirm="sol")
    with pytest.raises(HotelNotFound):
        deletion.delete_hotel(hotel_id=uuid7(), confirm="sol")


def test_deletion_of_a_hotel_copied_to_another_database_raises_deletion_conflict() -> None:
    """The test database is a copy of a template database, so the hotel alpha exists in both databases."""
    with platform_context():
        alpha = services.suspend_hotel(hotel_id=Hotel.objects.get(slug="alpha").id)
    with pytest.raises(DeletionConflict, match="Other databases") as caught:
        deletion.delete_hotel(hotel_id=alpha.id, confirm="alpha")
    assert caught.value.extra["databases"]
    assert "hotel_alpha" in sql.list_schemas()


def test_deletion_of_a_hotel_during_a_migration_raises_migration_conflict(sol: Hotel) -> None:
    caught: list[BaseException] = []

    def delete() -> None:
        try:
            deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
        except MigrationConflict as error:
            caught.append(error)

    with direct_connection(), platform_context(), migration_lock.hold_migration_lock():
        thread = threading.Thread(target=delete)
        thread.start()
        thread.join()
    assert caught
    assert is_complete(sol)


def test_deletion_of_a_hotel_while_redis_is_unavailable_changes_nothing(sol: Hotel, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(RedisUnavailable):
        deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
    assert is_complete(sol)


def test_deletion_that_cannot_record_its_audit_event_changes_nothing(sol: Hotel) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("trail failed")

    hotel_deleted.connect(refuse)
    try:
        with pytest.raises(RuntimeError, match="trail failed"):
            deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
    finally:
        hotel_deleted.disconnect(refuse)
    assert is_complete(sol)


@pytest.fixture
def superuser() -> Iterator[psycopg.Connection]:
    database = str(django_settings.DATABASES["default"]["NAME"])
    url = with_database(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], database)
    with psycopg.connect(url, autocommit=True) as connected:
        yield connected


def test_erase_hotel_deletes_the_large_objects_of_the_hotels_role(sol: Hotel) -> None:
    with hotel_context(sol), connection.cursor() as cursor:
        cursor.execute("SELECT lo_from_bytea(0, 'passport of Ana')")
    erase_hotel(confirm="sol")
    assert sql.query("SELECT count(*) FROM pg_largeobject_metadata") == [(0,)]
    assert sol.role not in sql.list_hotel_roles()


def test_erase_hotel_deletes_the_temporary_tables_of_open_sessions(
    sol: Hotel, superuser: psycopg.Connection
) -> None:
    create_temporary_table(superuser, sol)
    erase_hotel(confirm="sol")
    assert superuser.execute("SELECT to_regclass('pg_temp.notes')").fetchone() == (None,)
    assert sol.role not in sql.list_hotel_roles()


def create_temporary_table(session: psycopg.Connection, hotel: Hotel) -> None:
    """Create a temporary table that the hotel's role owns, as a session could do before `migrate` forbade this."""
    database = str(django_settings.DATABASES["default"]["NAME"])
    session.execute(
        f'GRANT TEMPORARY ON DATABASE "{database}" TO "{hotel.role}"; SET ROLE "{hotel.role}"'.encode()
    )
    session.execute("CREATE TEMP TABLE notes (guest text)")
    session.execute("RESET ROLE")


def test_deletion_while_a_table_of_the_hotels_role_is_locked_raises_deletion_conflict(
    sol: Hotel, superuser: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_lock, "MAX_ATTEMPTS", 1)
    monkeypatch.setattr(migration_lock, "LOCK_TIMEOUT", "100ms")
    create_temporary_table(superuser, sol)
    with superuser.transaction():
        superuser.execute("INSERT INTO notes VALUES ('Ana')")
        with pytest.raises(DeletionConflict, match=r"sol was not deleted: .*lock timeout.*pg_stat_activity"):
            deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
    assert is_complete(sol)
    erase_hotel(confirm="sol")


def test_deletion_raises_deletion_conflict_if_a_view_uses_a_table_of_the_hotels_role(
    sol: Hotel, superuser: psycopg.Connection
) -> None:
    superuser.execute(
        f'CREATE SCHEMA reports; CREATE TABLE reports.stays (n int); ALTER TABLE reports.stays OWNER TO "{sol.role}"; '
        "CREATE VIEW reports.summary AS SELECT * FROM reports.stays".encode()
    )
    try:
        with pytest.raises(
            DeletionConflict, match=r"view reports\.summary depends on .*Drop the dependent objects"
        ):
            deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
        assert is_complete(sol)
        superuser.execute("DROP VIEW reports.summary")
        erase_hotel(confirm="sol")
        assert superuser.execute("SELECT to_regclass('reports.stays')").fetchone() == (None,)
    finally:
        superuser.execute("DROP SCHEMA reports CASCADE")


def test_deletion_with_a_role_that_cannot_be_dropped_raises_deletion_conflict(
    sol: Hotel, superuser: psycopg.Connection
) -> None:
    ((owner, version),) = sql.query("SELECT current_user::text, current_setting('server_version_num')::int")
    if version < MEMBERSHIP_OPTIONS_SINCE:
        pytest.skip("Before PostgreSQL 16 an owner that may create roles may drop every role.")
    superuser.execute(f'REVOKE "{sol.role}" FROM "{owner}" CASCADE'.encode())
    with pytest.raises(DeletionConflict, match=r"ADMIN option.*WITH ADMIN OPTION"):
        deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
    assert is_complete(sol)
    superuser.execute(f'GRANT "{sol.role}" TO "{owner}" WITH ADMIN OPTION'.encode())
    erase_hotel(confirm="sol")


def test_find_remaining_data_before_the_deletion_finds_all_data(sol: Hotel) -> None:
    certificate = deletion.DeletionCertificate(
        hotel_id=str(sol.id), slug="sol", schema=sol.schema, role=sol.role, tables={}, shared={}, redis_keys=0
    )
    with direct_connection(), platform_context():
        assert deletion.find_remaining_data(certificate) == [
            "the schema hotel_sol",
            f"the role {sol.role}",
            "its row in tenants_hotel",
            "1 rows in tenants_contactidentifier",
            "1 rows in tenants_domain",
            "1 rows in tenants_dueitem",
            "1 keys in Redis",
        ]


def test_killed_erase_hotel_changes_nothing_and_can_be_repeated(sol: Hotel) -> None:
    """The command is killed while it waits for a row lock.

    By then the command has deleted most data, but has not committed.
    """
    kill_while_waiting_for_lock(
        "erase_hotel", "sol", "--confirm", "sol",
        lock=f"SELECT FROM tenants_contactidentifier WHERE hotel_id = '{sol.id}' FOR UPDATE",
    )  # fmt: skip
    assert is_complete(sol)
    assert erase_hotel(confirm="sol")["slug"] == "sol"

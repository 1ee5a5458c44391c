"""Tests of roles and privileges in the database.

Provisioning and `migrate` create the roles and privileges, and `migrate` repairs wrong privileges.
"""

import json
import os
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from hotelagent.core.ids import uuid7
from tenants import services
from tenants.checks import roles as role_checks
from tenants.context import hotel_context, platform_context
from tenants.database import roles, shared_roles
from tenants.database.connections import direct_connection
from tenants.database.logins import (
    MEMBERSHIP_OPTIONS_SINCE,
    DatabaseLogins,
    get_database_logins,
    missing_runtime_settings,
)
from tenants.models import DueItem, Hotel
from tenants.queue import due
from tests.tenants import sql


def execute(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall()) if cursor.description else []


def migrate_and_list_repaired() -> list[str]:
    """Run `migrate` and return the slugs of the hotels whose privileges it repaired."""
    out = StringIO()
    call_command("migrate", json=True, stdout=out)
    return list(json.loads(out.getvalue())["repaired"])


@pytest.mark.parametrize("privilege", ["SELECT * FROM {}", "DELETE FROM {}", "UPDATE {} SET email = 'x'"])
def test_hotel_role_is_denied_access_to_another_hotels_schema(
    hotel: Hotel, other_hotel: Hotel, privilege: str
) -> None:
    with hotel_context(hotel), pytest.raises(ProgrammingError, match="permission denied"):
        execute(privilege.format(f"{other_hotel.schema}.tenants_user"))


@pytest.mark.parametrize(
    "table", ["tenants_user", "tenants_domain", "tenants_schematemplate", "django_celery_beat_periodictask",
              "audit_event", "dlq_failure", "tenants_session", "tenants_apikey"]
)  # fmt: skip
def test_hotel_role_is_denied_access_to_the_platforms_tables(hotel: Hotel, table: str) -> None:
    with hotel_context(hotel), pytest.raises(ProgrammingError, match="permission denied"):
        execute(f"SELECT * FROM public.{table}")


def test_hotel_role_can_read_but_not_change_the_row_of_its_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    with hotel_context(hotel):
        assert list(Hotel.objects.values_list("slug", flat=True)) == [hotel.slug]
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            Hotel.objects.update(name="mine")


def test_hotel_role_reads_and_writes_only_its_own_due_items(hotel: Hotel, other_hotel: Hotel) -> None:
    now = timezone.now()

    def create_due_item(owner: Hotel) -> None:
        DueItem.objects.create(hotel_id=owner.id, kind="x", item_id=uuid7(), due_at=now, claim_at=now)

    for current in (hotel, other_hotel):
        with hotel_context(current):
            create_due_item(current)
            assert [row.hotel_id for row in DueItem.objects.all()] == [current.id]
    with (
        hotel_context(hotel),
        pytest.raises(ProgrammingError, match="row-level security"),
        transaction.atomic(),
    ):
        create_due_item(other_hotel)
    with platform_context():
        assert DueItem.objects.count() == 2


@pytest.mark.django_db
def test_runtime_login_without_a_role_is_denied_access_to_a_hotels_schema(hotel: Hotel) -> None:
    with platform_context(), pytest.raises(ProgrammingError, match="permission denied"):
        execute(f"SELECT * FROM {hotel.schema}.tenants_user")


@pytest.mark.django_db(transaction=True)
def test_migrate_stores_the_settings_of_the_runtime_login() -> None:
    migrate_and_list_repaired()  # the settings are not copied with the template database
    rows = sql.query(
        "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "WHERE d.datname = current_database()"
    )
    assert {row[0] for row in rows} >= {
        "statement_timeout=15s", "idle_in_transaction_session_timeout=10s", 'search_path=""', "TimeZone=UTC", "jit=off",
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    ["GRANT UPDATE (data) ON {table} TO {role}", "REVOKE UPDATE (personal) ON {table} FROM {role}"],
)
def test_migrate_repairs_privileges_on_columns(hotel: Hotel, statement: str) -> None:
    sql.execute(statement.format(table=f"{hotel.schema}.audit_event", role=hotel.role))
    assert migrate_and_list_repaired() == [hotel.slug]
    columns = sql.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass "
        "AND has_column_privilege(%s, attrelid, attnum, 'UPDATE') AND attnum > 0",
        f"{hotel.schema}.audit_event",
        hotel.role,
    )
    assert columns == [("personal",)]
    assert migrate_and_list_repaired() == []


@pytest.mark.django_db(transaction=True)
def test_migrate_lets_only_the_owner_create_temporary_tables(hotel: Hotel, settings: Settings) -> None:
    runtime = settings.DATABASES["default"]["USER"]
    query = "SELECT has_database_privilege(%s, current_database(), 'TEMPORARY')"
    ((database,),) = sql.query("SELECT current_database()")
    sql.execute(f'GRANT TEMPORARY ON DATABASE "{database}" TO PUBLIC, "{runtime}"')
    assert sql.query(query, hotel.role) == [(True,)]
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        [message] = [
            message
            for message in role_checks.check_roles(None, databases=["default"])
            if "TEMPORARY" in str(message.hint)
        ]
        assert message.id == "tenants.W012"
        migrate_and_list_repaired()
        logins = get_database_logins(cursor)
        assert missing_runtime_settings(cursor, logins) == []
        cursor.execute(query, [logins.owner])
        assert cursor.fetchone() == (True,)
    assert [sql.query(query, role) for role in (hotel.role, runtime)] == [[(False,)], [(False,)]]


@pytest.mark.django_db(transaction=True)
def test_public_pseudo_role_has_no_privileges_in_the_schema_public() -> None:
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        assert shared_roles.find_exposed_objects(cursor) == []
    assert sql.query("SELECT has_schema_privilege('public', 'public', 'USAGE')") == [(False,)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "drift",
    [
        "GRANT SELECT ON {schema}.tenants_user TO PUBLIC",
        "REVOKE INSERT ON {schema}.tenants_user FROM {role}",
        "GRANT UPDATE ON {schema}.django_migrations TO {role}",
        "REVOKE USAGE ON SCHEMA {schema} FROM {role}",
        "GRANT USAGE ON SCHEMA {schema} TO {group}",
        "REVOKE {role} FROM {runtime}",
        "REVOKE {group} FROM {role}",
    ],
)
def test_wrong_privileges_are_reported_by_a_check_and_repaired_by_migrate(drift: str) -> None:
    # The test needs a separate hotel, because the databases of all pytest workers share the role of hotel Alpha.
    hotel = services.create_hotel(slug="drifting", name="Drifting")
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        runtime = get_database_logins(cursor).runtime
    assert migrate_and_list_repaired() == []
    sql.execute(drift.format(role=hotel.role, schema=hotel.schema, group=roles.group_role(), runtime=runtime))
    assert [message.id for message in role_checks.check_roles(None, databases=["default"])] == [
        "tenants.E010"
    ]
    assert migrate_and_list_repaired() == [hotel.slug]
    assert role_checks.check_roles(None, databases=["default"]) == []
    assert migrate_and_list_repaired() == []


@pytest.mark.django_db(transaction=True)
def test_migrate_repairs_the_policies_and_privileges_of_the_shared_tables() -> None:
    sql.execute(
        "DROP POLICY own_rows ON tenants_dueitem; ALTER TABLE tenants_hotel DISABLE ROW LEVEL SECURITY"
    )
    sql.execute("GRANT SELECT ON public.audit_event TO PUBLIC")
    migrate_and_list_repaired()
    protected = len(shared_roles._ROW_OWNER_COLUMNS)
    assert sql.query("SELECT count(*) FROM pg_policies WHERE policyname = 'own_rows'") == [(protected,)]
    assert sql.query("SELECT relrowsecurity FROM pg_class WHERE oid = 'public.tenants_hotel'::regclass") == [
        (True,)
    ]
    test_public_pseudo_role_has_no_privileges_in_the_schema_public()


@pytest.mark.django_db(transaction=True)
def test_migrate_without_a_runtime_login_role_prints_the_statement_that_creates_it(
    settings: Settings,
) -> None:
    settings.DATABASES["default"]["USER"] = "missing_login"
    try:
        with pytest.raises(CommandError, match='CREATE ROLE "missing_login" LOGIN NOINHERIT'):
            call_command("migrate", verbosity=0)
    finally:
        settings.DATABASES["default"]["USER"] = "hotelagent_app"


@pytest.mark.django_db(transaction=True)
def test_hotel_created_with_database_roles_off_has_no_role(
    settings: Settings,
) -> None:
    settings.DATABASE_ROLES = False
    hotel = services.create_hotel(slug="no-role", name="No Role")
    assert hotel.tenant.role is None
    assert hotel.role not in sql.list_hotel_roles()
    # W013 warns that the runtime login has no privileges, because it is not the login of the owner.
    assert [message.id for message in role_checks.check_roles_setting(None)] == [
        "tenants.W010",
        "tenants.W013",
    ]


@pytest.mark.django_db(transaction=True)
def test_check_on_postgresql_15_reports_a_login_that_inherits_privileges(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"inheriting_{os.getpid()}"
    monkeypatch.setitem(settings.DATABASES["default"], "USER", name)
    sql.execute(f"CREATE ROLE {name} LOGIN INHERIT")
    try:
        ids = {message.id for message in role_checks.check_roles(None, databases=["default"])}
        ((version,),) = sql.query("SELECT current_setting('server_version_num')::int")
    finally:
        sql.execute(f"DROP ROLE {name}")
    assert ("tenants.E015" in ids) is (version < MEMBERSHIP_OPTIONS_SINCE)
    assert {"tenants.E010", "tenants.W012"} <= ids


@pytest.mark.django_db(transaction=True)
def test_check_warns_if_the_runtime_login_has_too_many_roles(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {message.id for message in role_checks.check_roles(None, databases=["default"])}
    monkeypatch.setattr(role_checks, "MEMBERSHIPS_LIMIT", 1)
    ids_above_limit = {message.id for message in role_checks.check_roles(None, databases=["default"])}
    assert ids_above_limit - ids == {"tenants.W014"}


@pytest.mark.django_db(transaction=True)
def test_database_owner_that_has_set_a_hotels_role_cannot_read_other_hotels(hotel: Hotel) -> None:
    """The owner of the database is also the runtime login.

    After SET ROLE, the owner has only the privileges of the hotel's role.
    """
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user::text, current_setting('server_version_num')::int")
        owner, version = cursor.fetchone()
        logins = DatabaseLogins(owner=owner, runtime=owner, server_version=version)
        assert shared_roles.ensure_shared_privileges(cursor, logins) == []
        assert missing_runtime_settings(cursor, logins) == []
        cursor.execute(
            "SELECT s.setconfig, r.rolinherit FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole "
            "JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname = %s AND d.datname = current_database()",
            [owner],
        )
        assert cursor.fetchall() == [(["jit=off", "random_page_cost=1.1"], True)]
        cursor.execute(roles.create_role_sql(role=hotel.role, logins=logins))
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            cursor.execute(f'SET LOCAL ROLE "{hotel.role}"; SELECT * FROM hotel_beta.tenants_user')


@pytest.mark.django_db(transaction=True)
def test_drop_role_drops_the_role_of_a_hotel_without_a_schema() -> None:
    hotel = services.create_hotel(slug="short-lived", name="Short Lived")
    sql.execute(f"DROP SCHEMA {hotel.schema} CASCADE")
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        logins = get_database_logins(cursor)
        roles.drop_role(cursor, role=hotel.role, logins=logins)
        roles.drop_role(cursor, role=hotel.role, logins=logins)
    assert hotel.role not in sql.list_hotel_roles()


def test_hotel_role_schedules_and_cancels_due_items_of_its_hotel(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(due._kinds, "test", due.ItemKind("test", "t", 10, due.LEASE, daily=False))
    item = uuid7()
    due.schedule(kind="test", items=[(item, timezone.now())])
    assert DueItem.objects.get().item_id == item
    due.cancel(kind="test", ids=[item])
    assert not DueItem.objects.exists()

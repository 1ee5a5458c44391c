"""The walls inside the database, made by `migrate` and by provisioning, mended by `migrate`."""

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
from tenants.checks import configuration
from tenants.context import hotel_context, platform_context
from tenants.database import roles, shared_roles
from tenants.database.connections import direct_connection
from tenants.models import DueItem, Hotel
from tenants.queue import due
from tests.tenants import sql


def raw(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall()) if cursor.description else []


def mended() -> list[str]:
    out = StringIO()
    call_command("migrate", json=True, stdout=out)
    return list(json.loads(out.getvalue())["mended"])


@pytest.mark.parametrize("privilege", ["SELECT * FROM {}", "DELETE FROM {}", "UPDATE {} SET email = 'x'"])
def test_a_hotel_can_not_touch_another_hotels_schema(
    hotel: Hotel, other_hotel: Hotel, privilege: str
) -> None:
    with hotel_context(hotel), pytest.raises(ProgrammingError, match="permission denied"):
        raw(privilege.format(f"{other_hotel.schema}.tenants_user"))


@pytest.mark.parametrize(
    "table", ["tenants_user", "tenants_domain", "tenants_template", "django_celery_beat_periodictask",
              "audit_event", "dlq_failure", "django_session", "tenants_apikey"]
)  # fmt: skip
def test_a_hotel_can_not_read_the_platforms_tables(hotel: Hotel, table: str) -> None:
    with hotel_context(hotel), pytest.raises(ProgrammingError, match="permission denied"):
        raw(f"SELECT * FROM public.{table}")


def test_a_hotel_sees_its_own_row_of_the_hotels_and_may_not_change_it(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    with hotel_context(hotel):
        assert list(Hotel.objects.values_list("slug", flat=True)) == [hotel.slug]
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            Hotel.objects.update(name="mine")


def test_a_hotel_sees_and_writes_its_own_due_items_only(hotel: Hotel, other_hotel: Hotel) -> None:
    now = timezone.now()

    def make(owner: Hotel) -> None:
        DueItem.objects.create(hotel_id=owner.id, kind="x", item_id=uuid7(), due_at=now, claim_at=now)

    for one in (hotel, other_hotel):
        with hotel_context(one):
            make(one)
            assert [row.hotel_id for row in DueItem.objects.all()] == [one.id]
    with (
        hotel_context(hotel),
        pytest.raises(ProgrammingError, match="row-level security"),
        transaction.atomic(),
    ):
        make(other_hotel)
    with platform_context():
        assert DueItem.objects.count() == 2


@pytest.mark.django_db
def test_the_runtime_login_alone_has_no_right_on_any_hotels_schema(hotel: Hotel) -> None:
    with platform_context(), pytest.raises(ProgrammingError, match="permission denied"):
        raw(f"SELECT * FROM {hotel.schema}.tenants_user")


@pytest.mark.django_db(transaction=True)
def test_the_runtime_login_has_its_time_limits_and_an_empty_search_path() -> None:
    mended()  # they belong to one database, and this one is a copy of another
    rows = sql.ask(
        "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "WHERE d.datname = current_database()"
    )
    assert {row[0] for row in rows} >= {
        "statement_timeout=15s", "idle_in_transaction_session_timeout=10s", 'search_path=""', "TimeZone=UTC", "jit=off",
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_nothing_of_public_is_readable_to_everybody() -> None:
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        assert shared_roles.readable_to_strangers(cursor) == []
    assert sql.ask("SELECT has_schema_privilege('public', 'public', 'USAGE')") == [(False,)]


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
def test_migrate_mends_what_drifted_and_a_check_finds_it(drift: str) -> None:
    # Memberships are the whole server's: hotel Alpha's role is the same one in the other workers' databases.
    hotel = services.create_hotel(slug="drifting", name="Drifting")
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        runtime = roles.get_database_logins(cursor).runtime
    assert mended() == []
    sql.run(drift.format(role=hotel.role, schema=hotel.schema, group=roles.group_role(), runtime=runtime))
    assert [found.id for found in configuration.check_roles(None, databases=["default"])] == ["tenants.E010"]
    assert mended() == [hotel.slug]
    assert configuration.check_roles(None, databases=["default"]) == []
    assert mended() == []


@pytest.mark.django_db(transaction=True)
def test_migrate_mends_the_shared_tables() -> None:
    sql.run("DROP POLICY own_rows ON tenants_dueitem; ALTER TABLE tenants_hotel DISABLE ROW LEVEL SECURITY")
    sql.run("GRANT SELECT ON public.audit_event TO PUBLIC")
    mended()
    assert sql.ask("SELECT count(*) FROM pg_policies WHERE policyname = 'own_rows'") == [(3,)]
    assert sql.ask("SELECT relrowsecurity FROM pg_class WHERE oid = 'public.tenants_hotel'::regclass") == [
        (True,)
    ]
    test_nothing_of_public_is_readable_to_everybody()


@pytest.mark.django_db(transaction=True)
def test_a_runtime_login_that_is_missing_is_named_with_the_statement_that_makes_it(
    settings: Settings,
) -> None:
    settings.DATABASES["default"]["USER"] = "nobody_made_me"
    try:
        with pytest.raises(CommandError, match='CREATE ROLE "nobody_made_me" LOGIN NOINHERIT'):
            call_command("migrate", verbosity=0)
    finally:
        settings.DATABASES["default"]["USER"] = "hotelagent_app"


@pytest.mark.django_db(transaction=True)
def test_without_roles_a_hotel_is_made_and_a_check_warns(settings: Settings) -> None:
    settings.DATABASE_ROLES = False
    hotel = services.create_hotel(slug="walless", name="No Walls")
    assert hotel.tenant.role is None
    assert hotel.role not in sql.hotel_roles()
    # Two logins, and nobody grants the one what the other makes.
    assert [found.id for found in configuration.check_roles_setting(None)] == ["tenants.W010", "tenants.W013"]


@pytest.mark.django_db(transaction=True)
def test_a_runtime_login_that_inherits_is_told_where_that_opens_every_hotel(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before PostgreSQL 16 a membership can't say for itself that it lends no rights."""
    name = f"inheriting_{os.getpid()}"
    monkeypatch.setitem(settings.DATABASES["default"], "USER", name)
    sql.run(f"CREATE ROLE {name} LOGIN INHERIT")
    try:
        found = {message.id for message in configuration.check_roles(None, databases=["default"])}
        ((version,),) = sql.ask("SELECT current_setting('server_version_num')::int")
    finally:
        sql.run(f"DROP ROLE {name}")
    assert ("tenants.E015" in found) is (version < roles.MEMBERSHIP_OPTIONS_SINCE)
    assert {"tenants.E010", "tenants.W012"} <= found


@pytest.mark.django_db(transaction=True)
def test_one_login_for_both_routes_works_and_still_keeps_hotels_apart(hotel: Hotel) -> None:
    """The owner serves requests too: it may take each hotel's role, and then has that role's rights only."""
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user::text, current_setting('server_version_num')::int")
        owner, version = cursor.fetchone()
        who = roles.DatabaseLogins(owner=owner, runtime=owner, server_version=version)
        assert shared_roles.ensure(cursor, who) == []
        assert shared_roles.missing_from_runtime(cursor, who) == []
        cursor.execute(
            "SELECT s.setconfig, r.rolinherit FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole "
            "JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname = %s AND d.datname = current_database()",
            [owner],
        )
        assert cursor.fetchall() == [(["jit=off"], True)]
        cursor.execute(roles.create_role_sql(role=hotel.role, who=who))
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            cursor.execute(f'SET LOCAL ROLE "{hotel.role}"; SELECT * FROM hotel_beta.tenants_user')


@pytest.mark.django_db(transaction=True)
def test_dropping_a_hotels_role_leaves_nothing() -> None:
    hotel = services.create_hotel(slug="short-lived", name="Short Lived")
    sql.run(f"DROP SCHEMA {hotel.schema} CASCADE;" + roles.drop_role_sql(role=hotel.role))
    assert hotel.role not in sql.hotel_roles()
    sql.run(roles.drop_role_sql(role=hotel.role))


def test_due_items_are_written_by_the_hotels_own_role(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(due._kinds, "test", due.ItemKind("test", "t", 10, due.LEASE, daily=False))
    item = uuid7()
    due.schedule(kind="test", items=[(item, timezone.now())])
    assert DueItem.objects.get().item_id == item
    due.cancel(kind="test", ids=[item])
    assert not DueItem.objects.exists()

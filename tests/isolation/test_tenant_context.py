"""Where a statement goes, and where it refuses to go."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, NotSupportedError, ProgrammingError, connection, transaction
from django.db.backends.signals import connection_created

from tenants.context import (
    PLATFORM,
    Actor,
    HotelNotSet,
    TenantNotSet,
    actor_context,
    current_actor,
    current_hotel,
    current_tenant,
    hotel_context,
    platform_context,
)
from tests.isolation.world import World


def ask(query: Any, params: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return list(cursor.fetchall())


def whose() -> str:
    (name,) = {row[0] for row in ask("SELECT hotel FROM marker")}
    return str(name)


def test_contexts_nest_and_come_back_after_an_exception(small_world: World) -> None:
    first, second = small_world.tenant(0), small_world.tenant(1)
    with hotel_context(first):
        with suppress(ZeroDivisionError), hotel_context(second), platform_context():
            assert current_tenant() is PLATFORM
            raise ZeroDivisionError
        assert current_hotel() is first
    with pytest.raises(TenantNotSet):
        current_tenant()


def test_a_hotel_where_none_is_set_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(TenantNotSet, match="hotel_context"):
        current_hotel()
    with platform_context(), pytest.raises(HotelNotSet, match="hotel_context"):
        current_hotel()
    with pytest.raises(ValueError, match="platform_context"), hotel_context(PLATFORM):
        pass


def test_a_thread_starts_without_a_hotel(small_world: World) -> None:
    seen: list[object] = []

    def look() -> None:
        try:
            seen.append(current_tenant())
        except TenantNotSet as error:
            seen.append(error)

    with hotel_context(small_world.tenant(0)):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert isinstance(seen[0], TenantNotSet)


def test_the_actor_comes_back() -> None:
    with actor_context(Actor(kind="key", id="1", label="booking engine")):
        assert current_actor().label == "booking engine"
    assert current_actor().kind == "system"


def test_no_scope_is_an_error_and_never_the_platform(connected: World) -> None:
    with pytest.raises(TenantNotSet):
        ask("SELECT hotel FROM marker")
    with transaction.atomic(), pytest.raises(TenantNotSet):
        ask("SELECT hotel FROM marker")


def test_a_statement_goes_as_its_hotel_and_leaves_nothing(connected: World) -> None:
    tenant = connected.tenant(1)
    with hotel_context(tenant):
        assert ask("SELECT current_user, current_setting('search_path')") == [
            (tenant.role, f"{tenant.schema}, public")
        ]
    with psycopg.connect(connected.runtime_url, autocommit=True) as other:
        assert other.execute("SELECT current_user <> %s", [tenant.role]).fetchone() == (True,)


def test_the_platform_after_a_hotel_in_one_transaction_has_no_hotels_rights(connected: World) -> None:
    with transaction.atomic():
        with hotel_context(connected.tenant(0)):
            assert whose() == "h0"
        with platform_context():
            assert whose() == "platform"
            assert ask("SELECT current_user = session_user") == [(True,)]
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                ask(f"SELECT * FROM {connected.tenant(0).schema}.marker")


def test_a_hotel_may_not_read_anothers_schema_by_name(connected: World) -> None:
    with hotel_context(connected.tenant(0)), pytest.raises(ProgrammingError, match="permission denied"):
        ask(f"SELECT * FROM {connected.tenant(1).schema}.marker")


def test_the_login_without_a_prefix_sees_nothing(connected: World) -> None:
    """What a forgotten prefix would meet: the database's own answer."""
    with psycopg.connect(connected.runtime_url, autocommit=True) as bare, pytest.raises(psycopg.Error):
        bare.execute(f"SELECT * FROM {connected.tenant(0).schema}.marker")


def test_a_lazy_queryset_is_read_where_it_is_consumed(connected: World) -> None:
    cursor = connection.cursor()
    with hotel_context(connected.tenant(0)):
        cursor.execute("SELECT hotel FROM marker")
    with hotel_context(connected.tenant(1)):
        # Rows that were fetched stay those of the hotel that they were read in.
        assert cursor.fetchone() == ("h0",)
        cursor.execute("SELECT hotel FROM marker")
    assert cursor.fetchone() == ("h1",)


def test_a_transaction_may_begin_and_end_without_a_hotel(connected: World) -> None:
    with transaction.atomic():
        with transaction.atomic(), hotel_context(connected.tenant(0)):
            assert whose() == "h0"
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            raise ZeroDivisionError
    connection.check_constraints()


def test_rolling_back_to_a_savepoint_of_another_hotel_does_not_bring_that_hotel_back(
    connected: World,
) -> None:
    with transaction.atomic():
        with hotel_context(connected.tenant(0)):
            assert whose() == "h0"
            with connection.cursor() as cursor:
                cursor.execute("SAVEPOINT here")
        with hotel_context(connected.tenant(1)):
            assert whose() == "h1"
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK TO SAVEPOINT here")
            assert whose() == "h1"


def test_after_an_error_only_a_rollback_passes_and_the_hotel_is_right_again(connected: World) -> None:
    with hotel_context(connected.tenant(0)):
        connection.set_autocommit(False)
        try:
            with pytest.raises(DatabaseError):
                ask("SELECT 1/0")
            with pytest.raises(DatabaseError, match="aborted"):
                ask("SELECT 1")
            with pytest.raises(ProgrammingError, match="one by one"):
                ask("ROLLBACK; SELECT hotel FROM marker")
            connection.rollback()
            assert whose() == "h0"
        finally:
            connection.rollback()
            connection.set_autocommit(True)


def test_a_schema_that_is_gone_is_not_answered_from_public(connected: World) -> None:
    gone = replace(connected.tenant(0), schema="hotel_gone")
    with hotel_context(gone), pytest.raises(ProgrammingError, match=r"permission denied|does not exist"):
        ask("SELECT hotel FROM marker")


def test_a_role_that_is_gone_is_an_error_that_says_so(connected: World) -> None:
    gone = replace(connected.tenant(0), role="hotel_gone")
    with (
        hotel_context(gone),
        pytest.raises(DatabaseError, match="role or the schema of the hotel could not be set"),
    ):
        ask("SELECT 1")


@pytest.mark.parametrize("name", ['x", public; DROP TABLE marker; --', "pg_catalog", "", "a\nb", "a;b"])
def test_a_schema_with_a_name_that_breaks_out_is_refused(connected: World, name: str) -> None:
    with hotel_context(replace(connected.tenant(0), schema=name)), pytest.raises(ValueError, match="schema"):
        ask("SELECT 1")


def test_django_tenants_api_sets_a_schema_where_no_context_is(connected: World) -> None:
    explicit: Any = connection
    try:
        explicit.set_schema(connected.tenant(0).schema)
        assert explicit.schema_name == connected.tenant(0).schema
        # It names no role, so the database refuses what only the hotel may see.
        with pytest.raises(ProgrammingError, match=r"permission denied|does not exist"):
            ask(f"SELECT hotel FROM {connected.tenant(0).schema}.marker")
        explicit.set_schema_to_public()
        assert whose() == "platform"
        with hotel_context(connected.tenant(1)):
            assert explicit.schema_name == connected.tenant(1).schema
            assert whose() == "h1"
            with pytest.raises(RuntimeError, match="hotel_context"):
                explicit.set_schema_to_public()
    finally:
        explicit.tenant = None
        explicit.schema_name = None


def test_introspection_sees_the_hotels_tables_and_not_the_platforms(connected: World) -> None:
    with psycopg.connect(connected.superuser_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS public.shared_only (id int)")
    with hotel_context(connected.tenant(0)):
        tables = connection.introspection.table_names()
        assert sorted(tables) == ["django_session", "guest", "marker"]
        with connection.cursor() as cursor:
            assert connection.introspection.get_primary_key_column(cursor, "marker") == "id"
            assert connection.introspection.get_constraints(cursor, "shared_only") == {}
    with platform_context():
        assert "shared_only" in connection.introspection.table_names()


def test_connecting_needs_no_hotel_whatever_is_asked_meanwhile(connected: World) -> None:
    asked: list[Any] = []

    def receiver(**_: Any) -> None:
        asked.append(ask("SELECT current_setting('search_path')"))

    connection_created.connect(receiver)
    try:
        with transaction.atomic():
            pass
    finally:
        connection_created.disconnect(receiver)
    assert asked == [[("public",)]]


def test_the_health_check_needs_no_hotel(connected: World) -> None:
    assert not connection.is_usable()
    connection.ensure_connection()
    assert connection.is_usable()
    connection.connection.close()
    assert not connection.is_usable()


@pytest.mark.parametrize(
    "statement",
    [
        "SET search_path TO public",
        "SET ROLE NONE",
        "RESET ROLE",
        "DISCARD ALL",
        "PREPARE p AS SELECT 1",
        "LISTEN rooms",
        "SELECT pg_advisory_lock(1)",
        "CREATE TEMP TABLE t (a int)",
        "SELECT set_config('search_path', 'public', false)",
        "SET LOCAL ROLE NONE; SELECT 1",
        "CREATE INDEX CONCURRENTLY ON marker (n)",
        "VACUUM marker",
        "CREATE DATABASE other",
    ],
)
def test_what_needs_a_session_is_refused_and_pointed_to_the_direct_route(
    connected: World, statement: str
) -> None:
    with hotel_context(connected.tenant(0)):
        with pytest.raises(NotSupportedError, match=r"direct_connection\(\)"):
            ask(statement)
        with transaction.atomic(), pytest.raises(NotSupportedError):
            ask(statement)


@pytest.mark.parametrize(
    "statements", ["SELECT 1; COMMIT; SELECT 2", "BEGIN; SELECT 1; END", "SELECT 1; ROLLBACK TO SAVEPOINT x"]
)
def test_the_end_of_a_transaction_among_other_statements_is_refused(
    connected: World, statements: str
) -> None:
    with hotel_context(connected.tenant(0)), pytest.raises(ProgrammingError, match="without their hotel"):
        ask(statements)

"""Tests of the tenant context, which determines the schema and the role of each statement.

Some statements are refused.
"""

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
from tenants.database.connections import direct_connection
from tests.isolation.isolation_database import IsolationDatabase


def query(statement: Any, params: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


def owner_of_rows() -> str:
    """Return the hotel name that all rows of `marker` contain.

    Fail if the rows contain several names, or if there are no rows.
    """
    (name,) = {row[0] for row in query("SELECT hotel FROM marker")}
    return str(name)


def test_nested_context_restores_the_outer_tenant_after_an_exception(
    small_database: IsolationDatabase,
) -> None:
    first, second = small_database.tenant(0), small_database.tenant(1)
    with hotel_context(first):
        with suppress(ZeroDivisionError), hotel_context(second), platform_context():
            assert current_tenant() is PLATFORM
            raise ZeroDivisionError
        assert current_hotel() is first
    with pytest.raises(TenantNotSet):
        current_tenant()


def test_current_hotel_without_a_hotel_raises_an_error_that_names_hotel_context() -> None:
    with pytest.raises(TenantNotSet, match="hotel_context"):
        current_hotel()
    with platform_context(), pytest.raises(HotelNotSet, match="hotel_context"):
        current_hotel()
    with pytest.raises(ValueError, match="platform_context"), hotel_context(PLATFORM):
        pass


def test_new_thread_has_no_tenant(small_database: IsolationDatabase) -> None:
    seen: list[object] = []

    def read_tenant() -> None:
        try:
            seen.append(current_tenant())
        except TenantNotSet as error:
            seen.append(error)

    with hotel_context(small_database.tenant(0)):
        thread = threading.Thread(target=read_tenant)
        thread.start()
        thread.join()
    assert isinstance(seen[0], TenantNotSet)


def test_actor_context_restores_the_previous_actor() -> None:
    with actor_context(Actor(kind="key", id="1", label="booking engine")):
        assert current_actor().label == "booking engine"
    assert current_actor().kind == "system"


def test_statement_without_a_tenant_raises_tenant_not_set(connected: IsolationDatabase) -> None:
    with pytest.raises(TenantNotSet):
        query("SELECT hotel FROM marker")
    with transaction.atomic(), pytest.raises(TenantNotSet):
        query("SELECT hotel FROM marker")


def test_statement_runs_with_the_hotels_role_and_does_not_change_the_session(
    connected: IsolationDatabase,
) -> None:
    tenant = connected.tenant(1)
    with hotel_context(tenant):
        assert query("SELECT current_user, current_setting('search_path')") == [
            (tenant.role, f"{tenant.schema}, public, pg_temp")
        ]
    with psycopg.connect(connected.runtime_url, autocommit=True) as other:
        assert other.execute("SELECT current_user <> %s", [tenant.role]).fetchone() == (True,)


def test_platform_context_inside_a_hotels_transaction_has_no_privileges_of_the_hotel(
    connected: IsolationDatabase,
) -> None:
    with transaction.atomic():
        with hotel_context(connected.tenant(0)):
            assert owner_of_rows() == "h0"
        with platform_context():
            assert owner_of_rows() == "platform"
            assert query("SELECT current_user = session_user") == [(True,)]
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                query(f"SELECT * FROM {connected.tenant(0).schema}.marker")


def test_query_that_names_the_schema_of_another_hotel_is_denied(connected: IsolationDatabase) -> None:
    with hotel_context(connected.tenant(0)), pytest.raises(ProgrammingError, match="permission denied"):
        query(f"SELECT * FROM {connected.tenant(1).schema}.marker")


def test_runtime_login_without_a_hotel_role_cannot_read_hotel_tables(
    connected: IsolationDatabase,
) -> None:
    with psycopg.connect(connected.runtime_url, autocommit=True) as bare, pytest.raises(psycopg.Error):
        bare.execute(f"SELECT * FROM {connected.tenant(0).schema}.marker")


def test_cursor_runs_each_statement_in_the_current_tenant(connected: IsolationDatabase) -> None:
    cursor = connection.cursor()
    with hotel_context(connected.tenant(0)):
        cursor.execute("SELECT hotel FROM marker")
    with hotel_context(connected.tenant(1)):
        # The cursor still returns the row that was read for the first hotel.
        assert cursor.fetchone() == ("h0",)
        cursor.execute("SELECT hotel FROM marker")
    assert cursor.fetchone() == ("h1",)


def test_transaction_can_begin_and_end_without_a_tenant(connected: IsolationDatabase) -> None:
    with transaction.atomic():
        with transaction.atomic(), hotel_context(connected.tenant(0)):
            assert owner_of_rows() == "h0"
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            raise ZeroDivisionError
    connection.check_constraints()


def test_rollback_to_a_savepoint_of_another_hotel_keeps_the_current_hotel(
    connected: IsolationDatabase,
) -> None:
    with transaction.atomic():
        with hotel_context(connected.tenant(0)):
            assert owner_of_rows() == "h0"
            with connection.cursor() as cursor:
                cursor.execute("SAVEPOINT here")
        with hotel_context(connected.tenant(1)):
            assert owner_of_rows() == "h1"
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK TO SAVEPOINT here")
            assert owner_of_rows() == "h1"


def test_statement_after_an_error_and_a_rollback_runs_in_the_current_hotel(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(0)):
        connection.set_autocommit(False)
        try:
            with pytest.raises(DatabaseError):
                query("SELECT 1/0")
            with pytest.raises(DatabaseError, match="aborted"):
                query("SELECT 1")
            with pytest.raises(ProgrammingError, match="one by one"):
                query("ROLLBACK; SELECT hotel FROM marker")
            connection.rollback()
            assert owner_of_rows() == "h0"
        finally:
            connection.rollback()
            connection.set_autocommit(True)


def test_statement_for_a_hotel_without_a_schema_does_not_use_public(
    connected: IsolationDatabase,
) -> None:
    missing = replace(connected.tenant(0), schema="hotel_gone")
    with hotel_context(missing), pytest.raises(ProgrammingError, match=r"permission denied|does not exist"):
        query("SELECT hotel FROM marker")


def test_statement_for_a_hotel_without_a_role_fails_because_the_role_cannot_be_set(
    connected: IsolationDatabase,
) -> None:
    missing = replace(connected.tenant(0), role="hotel_gone")
    with (
        hotel_context(missing),
        pytest.raises(DatabaseError, match="role or the schema of the hotel could not be set"),
    ):
        query("SELECT 1")


@pytest.mark.parametrize("name", ['x", public; DROP TABLE marker; --', "pg_catalog", "", "a\nb", "a;b"])
def test_statement_for_a_hotel_with_an_invalid_schema_name_raises_value_error(
    connected: IsolationDatabase, name: str
) -> None:
    with hotel_context(replace(connected.tenant(0), schema=name)), pytest.raises(ValueError, match="schema"):
        query("SELECT 1")


def test_set_schema_works_only_if_no_tenant_context_is_set(
    connected: IsolationDatabase,
) -> None:
    explicit: Any = connection
    try:
        explicit.set_schema(connected.tenant(0).schema)
        assert explicit.schema_name == connected.tenant(0).schema
        # No role is set, so the database denies access to the hotel's tables.
        with pytest.raises(ProgrammingError, match=r"permission denied|does not exist"):
            query(f"SELECT hotel FROM {connected.tenant(0).schema}.marker")
        explicit.set_schema_to_public()
        assert owner_of_rows() == "platform"
        with hotel_context(connected.tenant(1)):
            assert explicit.schema_name == connected.tenant(1).schema
            assert owner_of_rows() == "h1"
            with pytest.raises(RuntimeError, match="hotel_context"):
                explicit.set_schema_to_public()
    finally:
        explicit.tenant = None
        explicit.schema_name = None


def test_introspection_lists_the_tables_of_the_current_schema_only(connected: IsolationDatabase) -> None:
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


def test_receiver_of_the_signal_connection_created_queries_the_platform_schema(
    connected: IsolationDatabase,
) -> None:
    results: list[Any] = []

    def receiver(**_: Any) -> None:
        results.append(query("SELECT current_setting('search_path')"))

    connection_created.connect(receiver)
    try:
        with transaction.atomic():
            pass
    finally:
        connection_created.disconnect(receiver)
    assert results == [[("public, pg_temp",)]]


def test_is_usable_method_of_a_connection_works_without_a_tenant(connected: IsolationDatabase) -> None:
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
        "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
        "SELECT * INTO pg_temp.marker FROM marker",
        "SELECT * INTO Temp marker FROM marker",
        "EXPLAIN ANALYZE CREATE TEMP TABLE marker AS SELECT 1",
        "DO $$ BEGIN CREATE TEMP TABLE marker (hotel text); END $$",
        "UPDATE pg_settings SET setting = '1s' WHERE name = 'statement_timeout'",
        """SELECT "set_config"('statement_timeout', '1s', false)""",
        "SELECT set_config('search_path', 'public', false)",
        "SET LOCAL ROLE NONE; SELECT 1",
        "CREATE INDEX CONCURRENTLY ON marker (n)",
        "VACUUM marker",
        "CREATE DATABASE other",
    ],
)
def test_statement_that_changes_the_session_is_refused_on_the_runtime_connection(
    connected: IsolationDatabase, statement: str
) -> None:
    with hotel_context(connected.tenant(0)):
        with pytest.raises(NotSupportedError, match=r"direct_connection\(\)"):
            query(statement)
        with transaction.atomic(), pytest.raises(NotSupportedError):
            query(statement)


def test_temporary_table_of_the_session_does_not_hide_a_hotels_table(connected: IsolationDatabase) -> None:
    with hotel_context(connected.tenant(0)):
        connection.ensure_connection()
        # `exec_` sends the statement without the checks of the backend.
        with connection.wrap_database_errors:
            connection.connection.pgconn.exec_(b"CREATE TEMP TABLE marker AS SELECT 'wrong' AS hotel")
    try:
        with hotel_context(connected.tenant(1)):
            assert owner_of_rows() == "h1"
    finally:
        connection.connection.pgconn.exec_(b"DROP TABLE pg_temp.marker")


def test_placeholder_in_quotation_marks_whose_value_adds_a_statement_is_refused(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(0)), pytest.raises(NotSupportedError, match="DISCARD"):
        query("SELECT '%s'", [";DISCARD ALL--"])


def test_statement_with_a_syntax_error_is_not_sent_to_the_server(connected: IsolationDatabase) -> None:
    with hotel_context(connected.tenant(0)), transaction.atomic():
        with pytest.raises(
            ProgrammingError, match=r'at or near "FORGET" at position 1 .*direct_connection\(\)'
        ):
            query("FORGET EVERYTHING")
        # The transaction has not failed, so the statement did not reach the server.
        assert owner_of_rows() == "h0"


def test_statement_that_is_nested_too_deeply_to_be_classified_is_not_sent(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(0)):
        with pytest.raises(ProgrammingError, match="nested too deeply"):
            query("SELECT " + " + ".join(["1"] * 2000))
        with direct_connection():
            assert query("SELECT " + " + ".join(["1"] * 2000)) == [(2000,)]


@pytest.mark.parametrize(
    "statements", ["SELECT 1; COMMIT; SELECT 2", "BEGIN; SELECT 1; END", "SELECT 1; ROLLBACK TO SAVEPOINT x"]
)
def test_query_string_with_transaction_control_and_other_statements_is_refused(
    connected: IsolationDatabase, statements: str
) -> None:
    with hotel_context(connected.tenant(0)), pytest.raises(ProgrammingError, match="without their hotel"):
        query(statements)

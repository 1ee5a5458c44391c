"""Tests of the URLs, settings and time zone of the runtime connection and of the direct connection."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import unquote

import pgparse
import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction
from django.utils import timezone
from psycopg import sql

from tenants.context import TenantNotSet, hotel_context, platform_context
from tenants.database.backend.base import UTC_NAMES
from tenants.database.connections import (
    DirectConnectionError,
    database_settings,
    derive_direct_url,
    direct_connection,
    is_local,
)
from tests.isolation.isolation_database import IsolationDatabase


def query(statement: str, params: Any = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchone() if cursor.description else None


def current_connection() -> Any:
    return connections["default"]


@pytest.mark.parametrize(
    ("runtime", "direct"),
    [
        (
            "postgresql://postgres.ref:p%40ss@aws-0-eu-west-1.pooler.supabase.com:6543/postgres",
            "postgresql://postgres.ref:p%40ss@aws-0-eu-west-1.pooler.supabase.com:5432/postgres",
        ),
        (
            "postgres://u:p@db.ref.supabase.co:6543/postgres?sslmode=require",
            "postgres://u:p@db.ref.supabase.co:5432/postgres?sslmode=require",
        ),
        (
            "postgresql://u:p@ep-cool-darkness-1-pooler.eu-central-1.aws.neon.tech/db?sslmode=require",
            "postgresql://u:p@ep-cool-darkness-1.eu-central-1.aws.neon.tech/db?sslmode=require",
        ),
        (
            "postgresql://postgres.ref:pa#s?s:@aws-0-eu-west-1.pooler.supabase.com:6543/postgres",
            "postgresql://postgres.ref:pa%23s%3Fs%3A@aws-0-eu-west-1.pooler.supabase.com:5432/postgres",
        ),
        ("postgresql://u:p@db.example.com:6543/db", "postgresql://u:p@db.example.com:6543/db"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///db?host=/run/postgresql"),
        ("postgresql://u:p@not-pooler.example.com/db", "postgresql://u:p@not-pooler.example.com/db"),
        ("", ""),
    ],
)
def test_derive_direct_url_replaces_the_port_or_host_of_a_known_pooler(runtime: str, direct: str) -> None:
    assert derive_direct_url(runtime) == direct


def test_database_settings_require_tls_for_a_remote_host() -> None:
    far = database_settings("postgresql://u:p@db.example.com/db", direct=False)
    assert far["OPTIONS"]["sslmode"] == "require"
    strict = database_settings("postgresql://u:p@db.example.com/db?sslmode=verify-full", direct=False)
    assert strict["OPTIONS"]["sslmode"] == "verify-full"
    assert "sslmode" not in database_settings("postgresql://u:p@127.0.0.1/db", direct=False)["OPTIONS"]
    mixed = database_settings("postgresql://u:p@localhost/db?hostaddr=10.0.0.1", direct=False)
    assert mixed["OPTIONS"]["sslmode"] == "require"


@pytest.mark.parametrize(
    "host", ["", "/run/postgresql", "@abstract", "localhost", "127.0.0.1", "127.1.2.3", "::1"]
)
def test_is_local_returns_true_for_hosts_of_this_machine(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "db", "127.example.com", "localhost,10.0.0.1", "localhost.example"]
)
def test_is_local_returns_false_for_hosts_of_other_machines(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize("password", ["pa#ss", "pa?ss", "pa:ss", "pa%25ss", "pa%40ss", "a=b&c+d", "$HOME"])
def test_direct_url_derived_from_the_runtime_url_has_the_same_password(password: str) -> None:
    url = f"postgresql://u:{password}@aws-0-eu-west-1.pooler.supabase.com:6543/postgres"
    runtime = database_settings(url, direct=False)
    direct = database_settings(derive_direct_url(url), direct=True)
    assert runtime["PASSWORD"] == direct["PASSWORD"] == unquote(password)
    assert (runtime["PORT"], direct["PORT"]) == ("6543", "5432")


def test_database_url_with_unknown_parameters_raises_an_error_that_names_the_parameters() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_URL .*: connection_limit, pgbouncer\. Remove"):
        database_settings("postgresql://u:p@h/db?pgbouncer=true&connection_limit=1", direct=False)


def test_database_url_with_several_hosts_and_an_ipv6_address_is_accepted() -> None:
    url = "postgresql://u:p@[::1]:5498,primary:5499/db?target_session_attrs=read-write"
    assert database_settings(url, direct=True)["HOST"] == "::1,primary"
    assert database_settings(url, direct=True)["PORT"] == "5498,5499"


def test_url_of_another_database_system_raises_an_error_that_names_the_variable() -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_DIRECT_URL"):
        database_settings("mysql://u:p@localhost/db", direct=True)


def test_direct_connection_uses_one_session_and_logs_in_as_the_owner(connected: IsolationDatabase) -> None:
    with hotel_context(connected.tenant(0)):
        (runtime_user,) = query("SELECT session_user")
        with direct_connection() as direct:
            assert direct.direct
            (pid,) = query("SELECT pg_backend_pid()")
            assert (
                query("SELECT session_user, current_user")
                == (psycopg.conninfo.conninfo_to_dict(connected.superuser_url)["user"],) * 2
            )
            query("SET work_mem TO '7MB'")
            assert query("SHOW work_mem") == ("7MB",)
            query("PREPARE p AS SELECT 1")
            assert query("EXECUTE p") == (1,)
            assert query("SELECT pg_try_advisory_lock(1)") == (True,)
            assert query("SELECT pg_backend_pid()") == (pid,)
            assert query("SELECT hotel FROM marker LIMIT 1") == ("h0",)
        assert query("SELECT session_user") == (runtime_user,)
        with pytest.raises(ZeroDivisionError), direct_connection():
            raise ZeroDivisionError
        assert not current_connection().direct


def test_direct_connection_can_be_nested_but_not_opened_in_a_transaction(
    connected: IsolationDatabase,
) -> None:
    with direct_connection() as outer, direct_connection() as inner:
        assert inner is outer
    with platform_context(), direct_connection(), transaction.atomic(), direct_connection():
        assert query("SELECT 1") == (1,)
    with (
        transaction.atomic(),
        pytest.raises(DirectConnectionError, match="Leave atomic"),
        direct_connection(),
    ):
        pass
    assert not current_connection().direct


def test_statement_on_the_direct_connection_without_a_tenant_raises_tenant_not_set(
    connected: IsolationDatabase,
) -> None:
    with direct_connection():
        with pytest.raises(TenantNotSet):
            query("SELECT hotel FROM marker")
        with pytest.raises(TenantNotSet):
            query("CREATE INDEX CONCURRENTLY unused ON marker (n)")


def test_statement_that_cannot_run_in_a_transaction_runs_in_the_hotels_schema(
    connected: IsolationDatabase,
) -> None:
    with hotel_context(connected.tenant(1)), direct_connection():
        query("CREATE INDEX CONCURRENTLY by_n ON marker (n)")
        query("VACUUM marker")
        query("DROP INDEX CONCURRENTLY by_n")
        with pytest.raises(Exception, match="no_such"):
            query("CREATE INDEX CONCURRENTLY by_n ON no_such (n)")
        with platform_context():
            assert query("SHOW search_path") == ("public, pg_temp",)
        with pytest.raises(Exception, match="transaction block"), transaction.atomic():
            query("VACUUM marker")


def test_statement_that_the_sql_parser_rejects_is_sent_on_the_direct_connection(
    connected: IsolationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(text: str) -> NoReturn:
        raise pgparse.PGQueryError("syntax error", 1)

    # The parser does not know the syntax, as if the server were newer than the parser.
    monkeypatch.setattr(pgparse, "parse", parse)
    with hotel_context(connected.tenant(1)), direct_connection():
        query("VACUUM marker -- newer")
        assert query("SELECT hotel FROM marker LIMIT 1 -- newer") == ("h1",)
        with transaction.atomic():
            assert query("SELECT hotel FROM marker LIMIT 1 -- newer, in a transaction") == ("h1",)
        monkeypatch.undo()
        with platform_context():
            assert query("SHOW search_path") == ("public, pg_temp",)


def test_create_database_and_drop_database_can_be_run_without_a_tenant(
    connected: IsolationDatabase,
) -> None:
    name = f"{connected.database}_created"
    with direct_connection():
        query(f"CREATE DATABASE {name}")
        query(f"DROP DATABASE {name}")


def test_ddl_on_the_direct_connection_runs_in_the_hotels_schema(connected: IsolationDatabase) -> None:
    with hotel_context(connected.tenant(2)), direct_connection(), transaction.atomic():
        query("CREATE TABLE new_table (id int)")
        schema = query("SELECT schemaname FROM pg_tables WHERE tablename = 'new_table'")
        transaction.set_rollback(True)
    assert schema == (connected.tenant(2).schema,)


def test_sql_script_of_many_statements_can_be_executed(connected: IsolationDatabase) -> None:
    script = "CREATE TABLE script (id int);\n" + "INSERT INTO script VALUES (1);\n" * 500
    with hotel_context(connected.tenant(2)), direct_connection():
        query(script + "DROP TABLE script")


@pytest.fixture
def in_new_york(connected: IsolationDatabase) -> Iterator[IsolationDatabase]:
    """Set the time zone of the runtime login role to New York during the test. Django's time zone is UTC."""
    role = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(connected.runtime_url)["user"]))
    database = sql.Identifier(connected.database)
    with psycopg.connect(connected.superuser_url, autocommit=True) as owner:
        alter_role = sql.SQL("ALTER ROLE {} IN DATABASE {} {}")
        owner.execute(alter_role.format(role, database, sql.SQL("SET timezone TO 'America/New_York'")))
        # End all sessions, because the pooler would continue to use sessions that started before the setting was
        # changed.
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
        yield connected
        owner.execute(alter_role.format(role, database, sql.SQL("RESET timezone")))
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )


def test_connection_ignores_the_time_zone_of_the_login_role(
    in_new_york: IsolationDatabase,
) -> None:
    noon = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC)
    with hotel_context(in_new_york.tenant(0)):
        assert query("SHOW timezone")[0] in UTC_NAMES
        assert query("SELECT '2026-07-01 12:00:00+00'::timestamptz") == (noon,)
        assert query("SELECT %s::timestamptz::text", [noon]) == ("2026-07-01 12:00:00+00",)
        assert abs(query("SELECT now()")[0] - timezone.now()) < datetime.timedelta(minutes=1)
        with transaction.atomic():
            assert query("SELECT '2026-07-01 12:00:00+00'::timestamptz") == (noon,)

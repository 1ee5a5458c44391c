"""Tests of the system checks for the runtime connection and the direct connection."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection

from tenants.checks import connections as checks
from tenants.context import platform_context
from tenants.database import quoting
from tenants.database.backend.base import DatabaseWrapper
from tenants.database.connections import database_settings
from tenants.database.logins import RUNTIME_SETTINGS
from tests import servers
from tests.isolation.isolation_database import IsolationDatabase

DEFAULT = ["default"]


def ids(messages: list[Any]) -> list[str]:
    assert all(message.hint or message.id == "tenants.E026" for message in messages)
    return [message.id for message in messages]


def test_direct_connection_check_reports_error_e025_for_a_transaction_pooler(
    connected: IsolationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks.check_direct_connection(databases=DEFAULT) == []
    assert checks.check_direct_connection(databases=None) == []
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    for size in (1, 3):
        with servers.PgBouncer(connected.superuser_url, pool_size=size) as bouncer:
            monkeypatch.setattr(
                django_settings, "DATABASE_DIRECT", database_settings(bouncer.url, direct=True)
            )
            assert ids(checks.check_direct_connection(databases=DEFAULT)) == ["tenants.E025"]
            connection.close()


def test_direct_connection_check_reports_error_e024_for_an_unreachable_server(
    connected: IsolationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable = database_settings("postgresql://nobody@127.0.0.1:1/none", direct=True)
    monkeypatch.setattr(django_settings, "DATABASE_DIRECT", unreachable)
    assert ids(checks.check_direct_connection(databases=DEFAULT)) == ["tenants.E024"]


def test_runtime_login_check_reports_a_superuser_and_its_missing_settings(
    connected: IsolationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = checks.check_runtime_login(databases=DEFAULT)
    assert {"tenants.E027", "tenants.W022"}.isdisjoint(ids(messages))
    superuser_settings = {
        **connection.settings_dict,
        **database_settings(connected.superuser_url, direct=False),
    }
    superuser = DatabaseWrapper(superuser_settings)
    monkeypatch.setattr(checks, "connection", superuser)
    assert ids(checks.check_runtime_login(databases=DEFAULT)) == [
        "tenants.E027",
        "tenants.W021",
        "tenants.W021",
        "tenants.W023",
    ]
    superuser.close()


def test_runtime_login_check_with_jit_on_prints_the_statement_that_disables_jit(
    connected: IsolationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = checks.check_runtime_login(databases=DEFAULT)
    [message] = [message for message in messages if message.id == "tenants.W023"]
    statement = str(message.hint).partition("or: ")[2].partition(";")[0]
    # A database session reads the setting when it starts, so the test opens a new session.
    runtime_settings = {**connection.settings_dict, **database_settings(connected.runtime_url, direct=False)}
    with psycopg.connect(connected.superuser_url, autocommit=True) as superuser:
        superuser.execute(statement.encode())
        new = DatabaseWrapper(runtime_settings)
        monkeypatch.setattr(checks, "connection", new)
        try:
            assert "tenants.W023" not in ids(checks.check_runtime_login(databases=DEFAULT))
        finally:
            new.close()
            superuser.execute(statement.replace("SET jit TO 'off'", "RESET jit").encode())


def test_runtime_login_check_reports_a_session_that_began_before_the_settings_were_stored(
    connected: IsolationDatabase,
) -> None:
    with (
        platform_context(),
        connection.cursor() as cursor,
    ):  # opens the session before the settings are stored
        cursor.execute("SELECT current_user, current_database()")
        login, database = (quoting.identifier(name) for name in cursor.fetchone())
    role = f"ALTER ROLE {login} IN DATABASE {database}"
    before = {"tenants.W021", "tenants.W023"} & set(ids(checks.check_runtime_login(databases=DEFAULT)))
    assert before  # the session does not have the settings
    with psycopg.connect(connected.superuser_url, autocommit=True) as superuser:
        try:
            for setting, value in RUNTIME_SETTINGS.items():
                superuser.execute(f"{role} SET {setting} TO {quoting.literal(value)}".encode())
            messages = checks.check_runtime_login(databases=DEFAULT)
        finally:
            superuser.execute(f"{role} RESET ALL".encode())
    assert ids(messages) == ["tenants.I020"]
    assert "jit" in messages[0].msg
    assert "RECONNECT" in str(messages[0].hint)


def test_connection_settings_check_reports_an_unsupported_engine_and_unsupported_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert checks.check_connection_settings() == []
    runtime = django_settings.DATABASES["default"]
    monkeypatch.setitem(runtime, "ENGINE", "django.db.backends.postgresql")
    monkeypatch.setitem(runtime, "OPTIONS", {"pool": True, "options": "-c x=y"})
    assert ids(checks.check_connection_settings()) == ["tenants.E020", "tenants.E021", "tenants.E022"]


def test_tls_check_reports_error_e023_for_a_remote_database_without_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert checks.check_tls() == []
    remote = database_settings("postgresql://u:p@db.example.com/db?sslmode=prefer", direct=True)
    monkeypatch.setattr(django_settings, "DATABASE_DIRECT", remote)
    assert ids(checks.check_tls()) == ["tenants.E023"]


def test_session_pooler_check_reports_warning_w020_for_supabases_session_pooler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert checks.check_session_pooler() == []
    url = "postgresql://postgres.ref:p@aws-0-eu-west-1.pooler.supabase.com:5432/postgres"
    monkeypatch.setattr(django_settings, "DATABASE_DIRECT", database_settings(url, direct=True))
    assert ids(checks.check_session_pooler()) == ["tenants.W020"]

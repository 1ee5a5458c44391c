"""A route that is not what it should be is told by a check with an id and a cure."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection

from tenants.checks import database as checks
from tenants.database.backend.base import DatabaseWrapper
from tenants.database.connections import database_settings
from tests import servers
from tests.isolation.world import World

DEFAULT = ["default"]


def ids(messages: list[Any]) -> list[str]:
    assert all(message.hint or message.id == "tenants.E026" for message in messages)
    return [message.id for message in messages]


def test_a_direct_route_is_told_from_a_pooler(connected: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_direct_connection(databases=DEFAULT) == []
    assert checks.check_direct_connection(databases=None) == []
    if servers.find_pgbouncer() is None:
        servers.demand_or_skip("pgbouncer")
    for size in (1, 3):
        with servers.PgBouncer(connected.superuser_url, pool_size=size) as bouncer:
            monkeypatch.setattr(
                django_settings, "DATABASE_DIRECT", database_settings(bouncer.url, direct=True)
            )
            assert ids(checks.check_direct_connection(databases=DEFAULT)) == ["tenants.E025"]
            connection.close()


def test_a_direct_route_that_does_not_answer_is_told(
    connected: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = database_settings("postgresql://nobody@127.0.0.1:1/none", direct=True)
    monkeypatch.setattr(django_settings, "DATABASE_DIRECT", nowhere)
    assert ids(checks.check_direct_connection(databases=DEFAULT)) == ["tenants.E024"]


def test_a_runtime_login_that_nothing_holds_back_is_told(
    connected: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = checks.check_runtime_login(databases=DEFAULT)
    assert {"tenants.E027", "tenants.W022"}.isdisjoint(ids(found))
    given = {**connection.settings_dict, **database_settings(connected.superuser_url, direct=False)}
    mighty = DatabaseWrapper(given)
    monkeypatch.setattr(checks, "connection", mighty)
    assert ids(checks.check_runtime_login(databases=DEFAULT)) == [
        "tenants.E027",
        "tenants.W021",
        "tenants.W021",
        "tenants.W023",
    ]
    mighty.close()


def test_jit_compilation_on_the_runtime_connection_is_reported_with_the_statement_that_ends_it(
    connected: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [found] = [one for one in checks.check_runtime_login(databases=DEFAULT) if one.id == "tenants.W023"]
    statement = str(found.hint).partition(";")[0]
    # A new connection and not the pooler's, which is older than the setting.
    given = {**connection.settings_dict, **database_settings(connected.runtime_url, direct=False)}
    with psycopg.connect(connected.superuser_url, autocommit=True) as superuser:
        superuser.execute(statement.encode())
        new = DatabaseWrapper(given)
        monkeypatch.setattr(checks, "connection", new)
        try:
            assert "tenants.W023" not in ids(checks.check_runtime_login(databases=DEFAULT))
        finally:
            new.close()
            superuser.execute(statement.replace("SET jit TO off", "RESET jit").encode())


def test_settings_that_cannot_work_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_settings_of_routes() == []
    runtime = django_settings.DATABASES["default"]
    monkeypatch.setitem(runtime, "ENGINE", "django.db.backends.postgresql")
    monkeypatch.setitem(runtime, "OPTIONS", {"pool": True, "options": "-c x=y"})
    assert ids(checks.check_settings_of_routes()) == ["tenants.E020", "tenants.E021", "tenants.E022"]


def test_a_far_database_without_tls_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_tls() == []
    far = database_settings("postgresql://u:p@db.example.com/db?sslmode=prefer", direct=True)
    monkeypatch.setattr(django_settings, "DATABASE_DIRECT", far)
    assert ids(checks.check_tls()) == ["tenants.E023"]


def test_supabases_session_pooler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_direct_address() == []
    url = "postgresql://postgres.ref:p@aws-0-eu-west-1.pooler.supabase.com:5432/postgres"
    monkeypatch.setattr(django_settings, "DATABASE_DIRECT", database_settings(url, direct=True))
    assert ids(checks.check_direct_address()) == ["tenants.W020"]

"""Fixtures for the tests of the database backend.

The tests' default connection uses a small test database.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from tenants.database.backend.base import DatabaseWrapper
from tenants.database.connections import database_settings
from tests import servers
from tests.isolation.isolation_database import IsolationDatabase, create_isolation_database


@pytest.fixture(scope="session")
def small_database() -> Iterator[IsolationDatabase]:
    with create_isolation_database(
        superuser_url=os.environ["HOTELAGENT_TEST_SUPERUSER_URL"],
        runtime_url=settings.DATABASE_URL,
        hotels=3,
        name="small",
    ) as created:
        yield created


@pytest.fixture(scope="session")
def single_connection_pooler(small_database: IsolationDatabase) -> Iterator[servers.PgBouncer]:
    """Start a PgBouncer with only one server connection.

    A statement that changes the state of the session therefore affects the next statement of any client.
    """
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with servers.PgBouncer(small_database.runtime_url, pool_size=1) as bouncer:
        yield bouncer


def _connect(url: str, monkeypatch: pytest.MonkeyPatch, database: IsolationDatabase) -> DatabaseWrapper:
    configured = connections.configure_settings({"default": database_settings(url, direct=False)})
    monkeypatch.setattr(settings, "DATABASE_DIRECT", database_settings(database.superuser_url, direct=True))
    return DatabaseWrapper(configured["default"], "default")


@pytest.fixture(params=["server", pytest.param("pooler", marks=pytest.mark.pooler)])
def connected(
    request: pytest.FixtureRequest,
    small_database: IsolationDatabase,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: Any,
) -> Iterator[IsolationDatabase]:
    """Connect `django.db.connection` to the database of the fixture `small_database`.

    Each test with this fixture runs twice: on a direct connection and through the pooler.
    """
    url = small_database.runtime_url
    if request.param == "pooler":
        url = request.getfixturevalue("single_connection_pooler").url
    wrapper = _connect(url, monkeypatch, small_database)
    default = connections["default"]
    with django_db_blocker.unblock():
        connections["default"] = wrapper
        try:
            yield small_database
        finally:
            wrapper.close()
            connections["default"] = default

"""A world of hotels for the backend's own tests, and a connection into it in place of the suite's."""

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
from tests.isolation.world import World, make_world


@pytest.fixture(scope="session")
def small_world() -> Iterator[World]:
    with make_world(
        superuser_url=os.environ["HOTELAGENT_TEST_SUPERUSER_URL"],
        runtime_url=settings.DATABASE_URL,
        hotels=3,
        name="small",
    ) as made:
        yield made


@pytest.fixture(scope="session")
def narrow_pooler(small_world: World) -> Iterator[servers.PgBouncer]:
    """One server connection for everybody: what one statement leaves behind, the next one meets."""
    if servers.find_pgbouncer() is None:
        servers.demand_or_skip("pgbouncer")
    with servers.PgBouncer(small_world.runtime_url, pool_size=1) as bouncer:
        yield bouncer


def _connect(url: str, monkeypatch: pytest.MonkeyPatch, world: World) -> DatabaseWrapper:
    configured = connections.configure_settings({"default": database_settings(url, direct=False)})
    monkeypatch.setattr(settings, "DATABASE_DIRECT", database_settings(world.superuser_url, direct=True))
    return DatabaseWrapper(configured["default"], "default")


@pytest.fixture(params=["server", pytest.param("pooler", marks=pytest.mark.pooler)])
def connected(
    request: pytest.FixtureRequest,
    small_world: World,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: Any,
) -> Iterator[World]:
    """`django.db.connection` goes to the small world: straight to the server, and by the narrow pooler."""
    url = small_world.runtime_url
    if request.param == "pooler":
        url = request.getfixturevalue("narrow_pooler").url
    wrapper = _connect(url, monkeypatch, small_world)
    suite = connections["default"]
    with django_db_blocker.unblock():
        connections["default"] = wrapper
        try:
            yield small_world
        finally:
            wrapper.close()
            connections["default"] = suite

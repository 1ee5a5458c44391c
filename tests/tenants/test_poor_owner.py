"""A database whose owner may not create roles: told before anything is changed, or lived with knowingly."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from hotelagent.embedded import paths
from tests.servers import with_database

Manage = Callable[..., "subprocess.CompletedProcess[str]"]
PASSWORD = "poor"


@pytest.fixture
def poor_url() -> Iterator[str]:
    """The owner of an empty database, who has no right outside of it."""
    name = f"poor_{os.getpid()}"
    superuser = urlsplit(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"])
    with psycopg.connect(with_database(urlunsplit(superuser), "postgres"), autocommit=True) as server:
        owner = sql.Identifier(name)
        server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(owner, sql.Literal(PASSWORD)))
        server.execute(sql.SQL("CREATE DATABASE {0} OWNER {0} TEMPLATE template0").format(owner))
        try:
            address = superuser.netloc.rpartition("@")[2]
            yield urlunsplit(superuser._replace(netloc=f"{name}:{PASSWORD}@{address}", path=f"/{name}"))
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(owner))
            server.execute(sql.SQL("DROP ROLE {}").format(owner))


@pytest.fixture
def manage(poor_url: str) -> Manage:
    def run(*arguments: str, roles: bool) -> "subprocess.CompletedProcess[str]":
        given = {
            "DATABASE_URL": poor_url, "DATABASE_DIRECT_URL": poor_url, "DATABASE_ROLES": str(roles),
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=paths.CHECKOUT, env={**os.environ, **given}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as owner:
        return owner.execute(query.encode()).fetchall()


def test_migrate_says_what_is_missing_before_it_changes_anything(manage: Manage, poor_url: str) -> None:
    done = manage("migrate", roles=True)
    assert done.returncode == 1
    assert f'ALTER ROLE "{urlsplit(poor_url).username}" CREATEROLE' in done.stderr
    assert "DATABASE_ROLES=False" in done.stderr
    assert "Traceback" not in done.stderr
    assert ask(poor_url, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_without_roles_it_serves_and_with_them_it_says_why_it_can_not(manage: Manage, poor_url: str) -> None:
    assert manage("migrate", "--verbosity", "0", roles=False).returncode == 0
    assert manage("create_hotel", "sol", roles=False).returncode == 0
    warned = manage("check", "--database", "default", roles=False)
    assert warned.returncode == 0
    assert "tenants.W010" in warned.stderr
    assert "tenants.W023" not in warned.stderr

    refused = manage("create_hotel", "luna", roles=True)
    assert refused.returncode == 1
    assert "create role" in refused.stderr
    checked = manage("check", "--database", "default", roles=True)
    assert checked.returncode == 1
    assert "tenants.E014" in checked.stderr
    assert ask(poor_url, "SELECT slug, status FROM tenants_hotel") == [("sol", "active")]
    schemas = ask(poor_url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'hotel%' ORDER BY 1")
    assert [row[0] for row in schemas] == ["hotel_sol", "hotel_template"]

"""Tests of a database owner that may not create roles.

`migrate` then fails early, unless hotel roles are turned off.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from tests.programs import run_python
from tests.servers import with_database

Manage = Callable[..., "subprocess.CompletedProcess[str]"]
PASSWORD = "password"
#: Runs several commands of `manage.py` in one process, and prints the exit status of each command.
COMMANDS = """
import json, sys
from django.core.management import execute_from_command_line
for command in json.loads(sys.argv[1]):
    try:
        execute_from_command_line(["manage.py", *command])
        print("status 0")
    except SystemExit as error:
        print("status", error.code)
"""


@pytest.fixture
def owner_url() -> Iterator[str]:
    """Create an empty database and a login that owns the database but has no privilege on the server.

    Yield the database URL with the owner's user name and password.
    """
    name = f"restricted_{os.getpid()}"
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
def manage(owner_url: str) -> Manage:
    def run(*commands: tuple[str, ...], roles: bool) -> "subprocess.CompletedProcess[str]":
        environment = {
            "DATABASE_URL": owner_url, "DATABASE_DIRECT_URL": owner_url, "DATABASE_ROLES": str(roles),
        }  # fmt: skip
        return run_python("-c", COMMANDS, json.dumps(commands), environment={**os.environ, **environment})

    return run


def statuses(result: "subprocess.CompletedProcess[str]") -> list[int]:
    """Return the exit statuses of the commands."""
    assert result.returncode == 0, result.stderr
    return [int(status) for status in re.findall(r"^status (\d+)$", result.stdout, re.MULTILINE)]


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as owner:
        return owner.execute(statement.encode()).fetchall()


def test_migrate_by_an_owner_without_createrole_fails_before_it_changes_anything(
    manage: Manage, owner_url: str
) -> None:
    result = manage(("migrate",), roles=True)
    assert statuses(result) == [1]
    assert f'ALTER ROLE "{urlsplit(owner_url).username}" CREATEROLE' in result.stderr
    assert "DATABASE_ROLES=False" in result.stderr
    assert "Traceback" not in result.stderr
    assert query(owner_url, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_owner_without_createrole_can_create_hotels_only_if_database_roles_are_off(
    manage: Manage, owner_url: str
) -> None:
    check = ("check", "--database", "default")
    result = manage(("migrate", "--verbosity", "0"), ("create_hotel", "sol"), check, roles=False)
    assert statuses(result) == [0, 0, 0]
    assert "tenants.W010" in result.stderr
    assert "tenants.W023" not in result.stderr

    result = manage(("create_hotel", "luna"), check, roles=True)
    assert statuses(result) == [1, 1]
    assert "create role" in result.stderr
    assert "tenants.E014" in result.stderr
    assert query(owner_url, "SELECT slug, status FROM tenants_hotel") == [("sol", "active")]
    schemas = query(owner_url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'hotel%' ORDER BY 1")
    assert [row[0] for row in schemas] == ["hotel_sol", "hotel_template"]

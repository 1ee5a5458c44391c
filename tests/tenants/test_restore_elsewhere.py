"""Tests of `restore_hotel` on another deployment, which has another database, owner, runtime login and host."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings

from tests import servers
from tests.programs import run_python
from tests.servers import MailServer
from tests.tenants import populated_hotel
from tests.tenants.backups import backup

pytestmark = pytest.mark.django_db(transaction=True)

Manage = Callable[..., str]


def with_login(url: str, user: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:elsewhere@{parts.netloc.rpartition('@')[2]}"))


@pytest.fixture
def names() -> dict[str, str]:
    """Return the names of the second database and its roles.

    Test workers share one server, so each worker uses different names.
    """
    database = urlsplit(settings.DATABASE_DIRECT_URL).path.lstrip("/")
    return {"database": f"{database}_elsewhere", "owner": f"{database}_owner", "runtime": f"{database}_login"}


@pytest.fixture
def other_database_url(names: dict[str, str]) -> Iterator[str]:
    """Create an empty database with its own owner and runtime login.

    Yield the database URL with the owner's user name and password.
    """
    superuser = servers.with_database(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], "postgres")
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {names['owner']} LOGIN CREATEROLE PASSWORD 'elsewhere'")
        connection.execute(f"CREATE ROLE {names['runtime']} LOGIN NOINHERIT PASSWORD 'elsewhere'")
        connection.execute(f"CREATE DATABASE {names['database']} OWNER {names['owner']}")
        yield with_login(servers.with_database(superuser, names["database"]), names["owner"])
        connection.execute(f"DROP DATABASE {names['database']} WITH (FORCE)")
        memberships = connection.execute(
            "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid "
            "JOIN pg_roles o ON o.oid = m.member WHERE o.rolname IN (%s, %s)",
            [names["owner"], names["runtime"]],
        ).fetchall()
        for role in {role for (role,) in memberships} | {names["runtime"]}:
            connection.execute(f'DROP ROLE "{role}"')
        connection.execute(f"DROP ROLE {names['owner']}")


def test_hotel_restored_on_another_deployment_has_all_rows_and_is_suspended(
    smtp: MailServer, tmp_path: Path, names: dict[str, str], other_database_url: str
) -> None:
    hotel = populated_hotel.create_populated_hotel("sol", folder=tmp_path, smtp=smtp).hotel
    file = tmp_path / "sol.hotel"
    backup(file, "sol")
    environment = {
        **os.environ,
        "DATABASE_DIRECT_URL": other_database_url,
        "DATABASE_URL": with_login(other_database_url, names["runtime"]),
        "DATABASE_ROLE_PREFIX": names["owner"],
        "PLATFORM_HOST": "staging.example",
        "ALLOWED_HOSTS": ".staging.example",
    }

    def manage(*arguments: str) -> str:
        result = run_python("manage.py", *arguments, environment=environment)
        assert result.returncode == 0, result.stderr
        return result.stdout

    manage("migrate", "--verbosity", "0")
    restored: dict[str, Any] = json.loads(manage("restore_hotel", str(file), "--json"))
    assert (restored["slug"], restored["status"], restored["skipped_rows"]) == ("sol", "suspended", {})
    assert any("backed up at localhost" in reason for reason in restored["suspension_reasons"])
    # The two databases share a server. The role of the original hotel must not get privileges in the second database.
    assert not restored["keeps_id"]
    with psycopg.connect(other_database_url) as connection:
        restored_rows = {
            table: [row for (row,) in connection.execute(
                populated_hotel.rows_query("hotel_sol", table)
            )]
            for table in populated_hotel.read_rows(hotel.schema)
        }  # fmt: skip
    assert restored_rows == populated_hotel.read_rows(hotel.schema)
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as login:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.execute("SELECT FROM hotel_sol.locks_room")
        login.execute(f"SET ROLE hotel_{restored['id'].replace('-', '')}")
        assert login.execute("SELECT FROM hotel_sol.locks_room").rowcount == len(restored_rows["locks_room"])

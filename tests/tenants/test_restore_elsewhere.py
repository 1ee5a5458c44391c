"""A backup on another deployment: another database, owner, runtime login and host."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings

from hotelagent.embedded import paths
from tests import servers
from tests.servers import MailServer
from tests.tenants import lived_in
from tests.tenants.backups import backup

pytestmark = pytest.mark.django_db(transaction=True)

Manage = Callable[..., str]


def login_as(url: str, user: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:elsewhere@{parts.netloc.rpartition('@')[2]}"))


@pytest.fixture
def names() -> dict[str, str]:
    """Roles are the whole server's, so each worker has its own."""
    database = urlsplit(settings.DATABASE_DIRECT_URL).path.lstrip("/")
    return {"database": f"{database}_elsewhere", "owner": f"{database}_owner", "runtime": f"{database}_login"}


@pytest.fixture
def elsewhere(names: dict[str, str]) -> Iterator[str]:
    """The owner's URL of an empty database."""
    superuser = servers.with_database(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], "postgres")
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {names['owner']} LOGIN CREATEROLE PASSWORD 'elsewhere'")
        connection.execute(f"CREATE ROLE {names['runtime']} LOGIN NOINHERIT PASSWORD 'elsewhere'")
        connection.execute(f"CREATE DATABASE {names['database']} OWNER {names['owner']}")
        yield login_as(servers.with_database(superuser, names["database"]), names["owner"])
        connection.execute(f"DROP DATABASE {names['database']} WITH (FORCE)")
        made = connection.execute(
            "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid "
            "JOIN pg_roles o ON o.oid = m.member WHERE o.rolname IN (%s, %s)",
            [names["owner"], names["runtime"]],
        ).fetchall()
        for role in {role for (role,) in made} | {names["runtime"]}:
            connection.execute(f'DROP ROLE "{role}"')
        connection.execute(f"DROP ROLE {names['owner']}")


def test_it_comes_up_there_row_by_row_and_suspended(
    smtp: MailServer, tmp_path: Path, names: dict[str, str], elsewhere: str
) -> None:
    hotel = lived_in.lived_in("sol", folder=tmp_path, smtp=smtp).hotel
    file = tmp_path / "sol.hotel"
    backup(file, "sol")
    environment = {
        **os.environ,
        "DATABASE_DIRECT_URL": elsewhere,
        "DATABASE_URL": login_as(elsewhere, names["runtime"]),
        "DATABASE_ROLE_PREFIX": names["owner"],
        "PLATFORM_HOST": "staging.example",
        "ALLOWED_HOSTS": ".staging.example",
    }

    def manage(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=paths.CHECKOUT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("migrate", "--verbosity", "0")
    told: dict[str, Any] = json.loads(manage("restore_hotel", str(file), "--json"))
    assert (told["slug"], told["status"], told["skipped_rows"]) == ("sol", "suspended", {})
    assert "backed up at localhost" in told["suspension_reasons"][-1]
    # It is the same server, whose roles are everybody's: the original's leads into its own database and no other.
    assert not told["keeps_id"]
    with psycopg.connect(elsewhere) as connection:
        there = {
            table: [row for (row,) in connection.execute(
                f'SELECT t::text FROM hotel_sol.{table} t ORDER BY t::text COLLATE "C"'
            )]
            for table in lived_in.everything(hotel.schema)
        }  # fmt: skip
    assert there == lived_in.everything(hotel.schema)
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as login:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.execute("SELECT FROM hotel_sol.locks_room")
        login.execute(f"SET ROLE hotel_{told['id'].replace('-', '')}")
        assert login.execute("SELECT FROM hotel_sol.locks_room").rowcount == len(there["locks_room"])

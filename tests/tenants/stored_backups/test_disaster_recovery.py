"""Test of the recovery after the loss of the database: the platform's backup, `migrate`, and the hotels' backups."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from psycopg import sql as psycopg_sql

from hotelagent.embedded.servers import postgres
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tests.programs import run_python
from tests.servers import with_database
from tests.tenants.stored_backups.stored import run
from tests.tenants.test_owner_without_createrole import COMMANDS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def empty_database() -> Iterator[str]:
    """Create an empty database of the same owner, and return its name."""
    name = urlsplit(django_settings.DATABASE_DIRECT_URL).path.lstrip("/") + "_recovered"
    superuser = with_database(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], "postgres")
    identifier = psycopg_sql.Identifier(name)
    with psycopg.connect(superuser, autocommit=True) as server:
        server.execute(
            psycopg_sql.SQL("CREATE DATABASE {} OWNER {}").format(
                identifier, psycopg_sql.Identifier(postgres.OWNER)
            )
        )
        yield name
        server.execute(psycopg_sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def manage(database: str, *commands: tuple[str, ...]) -> str:
    """Run commands of `manage.py` on another database. Return their output, without their exit statuses of 0."""
    environment = {
        "DATABASE_URL": with_database(django_settings.DATABASE_URL, database),
        "DATABASE_DIRECT_URL": with_database(django_settings.DATABASE_DIRECT_URL, database),
    }
    result = run_python("-c", COMMANDS, json.dumps(commands), environment={**os.environ, **environment})
    assert result.returncode == 0, result.stderr
    assert set(re.findall(r"^status (\d+)$", result.stdout, re.MULTILINE)) == {"0"}, (
        result.stdout + result.stderr
    )
    return result.stdout


def test_platform_and_hotels_are_restored_to_an_empty_database(
    hotel: Hotel, folder: Path, empty_database: str, tmp_path: Path
) -> None:
    with platform_context():
        User.objects.create_user(username="operator", password=None, role="platform")
    with hotel_context(hotel):
        User.objects.create_user(username="ana", password=None, role="manager")
    files = {}
    for backup in run("backup_all")["backups"]:
        files[backup["slug"]] = tmp_path / f"{backup['slug']}.file"
        run("fetch_backup", backup["name"], to=files[backup["slug"]])
    output = manage(
        empty_database,
        ("restore_platform", str(files[""])),
        ("migrate", "--verbosity", "0"),
        ("restore_hotel", str(files["alpha"])),
        ("restore_hotel", str(files["beta"])),
    )
    assert "of each hotel:\n- alpha\n- beta" in output

    def query(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(with_database(django_settings.DATABASE_DIRECT_URL, empty_database)) as database:
            return database.execute(statement.encode()).fetchall()

    assert query("SELECT username FROM public.tenants_user") == [("operator",)]
    assert query("SELECT slug FROM tenants_hotel ORDER BY 1") == [("alpha",), ("beta",)]
    assert query("SELECT username FROM hotel_alpha.tenants_user") == [("ana",)]
    assert query("SELECT count(*) FROM django_celery_beat_periodictask")[0][0] > 5


def test_restore_platform_to_a_used_database_or_from_the_backup_of_a_hotel_is_refused(
    hotel: Hotel, folder: Path, tmp_path: Path
) -> None:
    for backup in run("backup_all")["backups"]:
        run("fetch_backup", backup["name"], to=tmp_path / f"{backup['slug'] or 'platform'}.file")
    with pytest.raises(CommandError, match="is not empty"):
        call_command("restore_platform", tmp_path / "platform.file")
    with pytest.raises(CommandError, match="not a backup of a database"):
        call_command("restore_platform", tmp_path / "alpha.file")

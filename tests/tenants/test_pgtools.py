"""Tests of the connection parameters that are passed to pg_dump.

The command line of pg_dump must not contain secrets.
"""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.context import platform_context
from tenants.database.connections import database_settings, direct_connection
from tenants.lifecycle import pgtools, schema_template
from tests.tenants import sql

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace pg_dump with a program that prints its environment variables and its arguments."""
    program = tmp_path / "pg_dump"
    program.write_text(
        '#!/bin/sh\nif [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 99.0"; exit; fi\n'
        'env\necho "ARGUMENTS=$*"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PG_BIN", str(tmp_path))


def run_with(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, str]:
    monkeypatch.setattr(django_settings, "DATABASE_DIRECT", database_settings(url, direct=True))
    with direct_connection(), platform_context():
        lines = pgtools.run("pg_dump", "--schema-only").splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def test_pg_dump_gets_all_parameters_and_the_host_that_the_connection_uses(
    recorder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = django_settings.DATABASE_DIRECT_URL
    port = str(django_settings.DATABASE_DIRECT["PORT"])
    url = url.replace("@127.0.0.1:", "@127.0.0.1:1,127.0.0.1:")
    given = run_with(
        monkeypatch,
        f"{url}?target_session_attrs=read-write&application_name=nightly&channel_binding=disable&sslsni=0"
        "&sslmode=prefer&options=-c%20work_mem%3D9MB&keepalives_idle=7&tcp_user_timeout=9000",
    )
    assert {name: given[name] for name in given if name.startswith("PG") and name != "PG_BIN"} == {
        "PGHOST": "127.0.0.1",
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": port,
        "PGUSER": django_settings.DATABASE_DIRECT["USER"],
        "PGPASSWORD": django_settings.DATABASE_DIRECT["PASSWORD"],
        "PGDATABASE": django_settings.DATABASE_DIRECT["NAME"],
        "PGCLIENTENCODING": "UTF8",
        "PGCONNECT_TIMEOUT": "10",
        "PGTARGETSESSIONATTRS": "read-write",
        "PGAPPNAME": "nightly",
        "PGCHANNELBINDING": "disable",
        "PGSSLSNI": "0",
        "PGSSLMODE": "prefer",
        "PGOPTIONS": "-c work_mem=9MB",
    }
    arguments = given["ARGUMENTS"].split()
    assert {"--schema-only", "--dbname=keepalives_idle=7", "tcp_user_timeout=9000"} == set(arguments)
    assert django_settings.DATABASE_DIRECT["PASSWORD"] not in given["ARGUMENTS"]


def test_environment_variable_pgoptions_is_not_passed_to_pg_dump(
    recorder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=elsewhere")
    assert run_with(monkeypatch, django_settings.DATABASE_DIRECT_URL)["PGOPTIONS"] == ""


def test_secret_parameter_without_an_environment_variable_is_refused(
    recorder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImproperlyConfigured, match="sslpassword") as error:
        run_with(monkeypatch, f"{django_settings.DATABASE_DIRECT_URL}?sslpassword=hunter2")
    assert "hunter2" not in str(error.value)


def test_migrate_refuses_a_dump_without_the_newest_migration_of_the_template_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`migrate` reports the migration that is missing in the dump.

    The stored script for new hotels is kept.
    """
    dump_sections = schema_template._dump_sections

    def dump_of_a_standby(*arguments: Any, **options: Any) -> list[str]:
        before, after, data = dump_sections(*arguments, **options)
        return [before, after, data.replace("'9999_newest'", "'0001_other'")]

    monkeypatch.setattr(schema_template, "_dump_sections", dump_of_a_standby)
    version = schema_template.stored_version()
    sql.execute(
        "INSERT INTO hotel_template.django_migrations (app, name, applied) VALUES ('locks', '9999_newest', now())"
    )
    with pytest.raises(CommandError, match=r"without the migrations locks\.9999_newest"):
        call_command("migrate", verbosity=0)
    assert schema_template.stored_version() == version


def test_pg_dump_on_a_server_that_does_not_have_the_snapshot_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with direct_connection(), platform_context():
        connection.ensure_connection()
        with pytest.raises(pgtools.ProgramFailed, match="snapshot"):
            schema_template.dump_template("--snapshot=00000009-00000009-1")

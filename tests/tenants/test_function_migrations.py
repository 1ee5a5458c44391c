"""Tests of the SQL files of database functions. The installed functions must be equal to the files."""

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from tenants.context import platform_context
from tenants.database.connections import direct_connection
from tenants.database.function_migrations import InstallFunctions, changed_functions, copy_path, sources
from tenants.lifecycle.schema_template import SCHEMA as TEMPLATE_SCHEMA
from tests.tenants import sql

APPS = [config.label for config in apps.get_app_configs() if Path(config.path, "sql").is_dir()]

Definitions = dict[str, str]


def installed_functions() -> Definitions:
    """Return the definitions of the functions in the schema `public`, by name.

    Call this function on the direct connection.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, string_agg(pg_get_functiondef(oid), '') FROM pg_proc "
            "WHERE pronamespace = 'public'::regnamespace AND proowner = current_user::regrole GROUP BY 1"
        )
        return dict(cursor.fetchall())


def definitions_by_file(texts: Definitions) -> Definitions:
    """Return the definitions of the functions that the SQL files create.

    The files are executed in a transaction that is rolled back.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        for text in texts.values():
            cursor.execute(text)
        definitions = installed_functions()
        transaction.set_rollback(True)
    return definitions


@pytest.fixture
def copied_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the SQL functions of the app `locks` to a temporary folder, and make the commands use this folder."""
    texts = sources("locks")
    copies = {name: copy_path("locks", "0002_functions", name).read_text() for name in texts}
    monkeypatch.setattr(apps.get_app_config("locks"), "path", str(tmp_path))
    for name, text in texts.items():
        file, copy = tmp_path / "sql" / f"{name}.sql", copy_path("locks", "0002_functions", name)
        for path, content in ((file, text), (copy, copies[name])):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    return tmp_path


def make_sql_migration(*arguments: str) -> str:
    out = StringIO()
    call_command("make_sql_migration", "locks", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("app", APPS)
def test_every_function_file_is_installed_by_a_migration(app: str) -> None:
    missing = changed_functions(app, MigrationLoader(None))
    assert missing == [], f"Run `manage.py make_sql_migration {app}`."


@pytest.mark.parametrize("app", APPS)
def test_every_function_file_creates_one_function_with_the_name_of_the_file(app: str) -> None:
    for name, text in sources(app).items():
        assert re.findall(r"^CREATE OR REPLACE FUNCTION public\.(\w+)\(", text, re.MULTILINE) == [name]
        assert name.startswith(f"{app}_")


@pytest.mark.django_db(transaction=True)
def test_functions_in_the_database_have_the_definitions_in_the_sql_files() -> None:
    texts = {name: text for app in APPS for name, text in sources(app).items()}
    with direct_connection(), platform_context():
        installed = installed_functions()
        assert set(installed) == set(texts)
        assert definitions_by_file(texts) == installed


@pytest.mark.django_db(transaction=True)
def test_changed_sql_file_differs_from_the_installed_functions() -> None:
    texts = sources("tenants")
    texts["tenants_routing_changed"] = texts["tenants_routing_changed"].replace("version + 1", "version + 2")
    with direct_connection(), platform_context():
        assert definitions_by_file(texts) != installed_functions()


@pytest.mark.django_db(transaction=True)
def test_hotel_schemas_do_not_contain_functions_of_locks_and_audit() -> None:
    functions = sql.query(
        "SELECT proname FROM pg_proc WHERE pronamespace = %s::regnamespace AND proname !~ '^reminders_'",
        TEMPLATE_SCHEMA,
    )
    assert functions == []


def test_make_sql_migration_without_a_change_writes_nothing(copied_app: Path) -> None:
    assert make_sql_migration() == "No function of locks has changed.\n"
    assert [path.name for path in copied_app.iterdir()] == ["sql", "migrations"]


def test_make_sql_migration_installs_new_and_changed_files(
    copied_app: Path,
) -> None:
    (copied_app / "sql" / "locks_new.sql").write_text("SELECT 1;\n")
    changed = copied_app / "sql" / "locks_confirm.sql"
    changed.write_text(changed.read_text() + "-- Changed.\n")
    with pytest.raises(SystemExit) as end:
        make_sql_migration("--check")
    assert end.value.code == 1
    written = re.search(r"(\d{4}_added)\.py", make_sql_migration("--name", "added"))
    assert written
    name = written[1]
    migration = (copied_app / "migrations" / f"{name}.py").read_text()
    assert "functions=['locks_confirm', 'locks_new']" in migration
    assert "replaces={'locks_confirm': '0002_functions'}" in migration
    assert copy_path("locks", name, "locks_confirm").read_text() == changed.read_text()


def test_make_sql_migration_with_an_unknown_app_exits_with_code_2() -> None:
    with pytest.raises(CommandError) as error:
        call_command("make_sql_migration", "cleaning")
    assert error.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_reversing_a_function_migration_installs_the_previous_copy_of_the_function(
    add_migration: Callable[..., None], copied_app: Path
) -> None:
    """All hotels share the functions, so the migration and its reversal run in the platform's schema only."""
    name = "locks_describe"
    new = copied_app / "migrations" / "functions" / "9000_added" / f"{name}.sql"
    new.parent.mkdir()
    new.write_text(
        (copied_app / "sql" / f"{name}.sql").read_text().replace("RETURN (", "RETURN (/* changed */", 1)
    )
    add_migration("locks", [InstallFunctions("9000_added", [name], {name: "0002_functions"})])

    def is_changed() -> bool:
        return bool(
            sql.query("SELECT prosrc LIKE '%%/* changed */%%' FROM pg_proc WHERE proname = %s", name)[0][0]
        )

    call_command("migrate", verbosity=0)
    assert is_changed()
    call_command("migrate", "locks", "0002", verbosity=0)
    assert not is_changed()

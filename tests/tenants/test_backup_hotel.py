"""Tests that `backup_hotel` creates a complete, private and verified file, or no file."""

import fcntl
import hashlib
import json
import resource
import stat
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from audit.models import Event
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.lifecycle import pgtools
from tenants.lifecycle.backup import output_file
from tenants.models import Hotel, HotelStatus, User
from tests.tenants import sql
from tests.tenants.backups import backup
from tests.tenants.kill_command import kill_while_waiting_for_lock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alpha.hotel"


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_backup_hotel_writes_a_private_file_with_a_manifest_and_rows(hotel: Hotel, file: Path) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="ana", password=None, role="manager")
    result = backup(file)
    assert files_in(file.parent) == ["alpha.hotel"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert result["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert result["bytes"] == file.stat().st_size
    assert result["tables"]["tenants_user"] == 1
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert archive.read("rows/tenants_user").decode().split("\t")[3] == "ana"
    assert manifest["hotel"]["slug"] == "alpha"
    assert "locks.0001_initial" in manifest["migrations"]


def test_audit_event_of_a_backup_contains_the_files_digest_but_not_the_files_path(file: Path) -> None:
    result = backup(file)
    with platform_context():
        event = Event.objects.get(event="hotel.backed_up")
    assert (event.actor_id, event.data["slug"]) == ("backup_hotel", "alpha")
    assert event.data["detail"]["sha256"] == result["sha256"]
    assert str(file.parent) not in json.dumps(event.data)


def test_backup_hotel_prints_that_the_file_contains_personal_data(file: Path) -> None:
    out = StringIO()
    call_command("backup_hotel", "alpha", to=file, stdout=out)
    assert "it holds personal data, so store it safely" in out.getvalue()


def test_backup_hotel_of_a_suspended_hotel_succeeds(hotel: Hotel, file: Path) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    assert backup(file)["slug"] == "alpha"


@pytest.fixture
def _differs_from_template() -> None:
    """Change the schema of the hotel Alpha. Backups run pg_dump only if the schema differs from the template schema."""
    sql.execute("ALTER TABLE hotel_alpha.locks_room ADD COLUMN note text DEFAULT 'none'")


@pytest.mark.usefixtures("_differs_from_template")
def test_backup_hotel_excludes_changes_made_after_its_snapshot(
    hotel: Hotel, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Change the hotel's schema and the shared tables while pg_dump runs.

    The backup must not contain the changes.
    """
    run_binary = pgtools.run_binary

    def change_and_run(program: str, *arguments: str, stdin: bytes = b"") -> bytes:
        def change() -> None:
            with hotel_context(hotel):
                User.objects.create_user(username="late", password=None, role="manager")
            services.add_domain(hotel_id=hotel.id, host="late.example")
            connection.close()

        if program == "pg_dump":
            thread = threading.Thread(target=change)
            thread.start()
            thread.join()
        return run_binary(program, *arguments, stdin=stdin)

    monkeypatch.setattr(pgtools, "run_binary", change_and_run)
    result = backup(file)
    assert result["tables"]["tenants_user"] == result["shared"]["tenants_domain"] == 0
    with hotel_context(hotel):
        assert User.objects.filter(username="late").exists()


def test_backup_hotel_of_a_hotel_that_is_being_provisioned_is_refused(file: Path) -> None:
    with platform_context():
        Hotel.objects.create(slug="sol", name="Sol", schema="hotel_sol", status=HotelStatus.PROVISIONING)
    with pytest.raises(CommandError, match="still being provisioned"):
        backup(file, "sol")
    assert files_in(file.parent) == []


def test_backup_hotel_during_a_migration_is_refused(hotel: Hotel, file: Path) -> None:
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(schema_version="")
    with pytest.raises(CommandError, match="migrate --hotel alpha"):
        backup(file)
    assert files_in(file.parent) == []


def test_backup_hotel_with_a_locked_table_is_refused_after_a_timeout(
    hotel: Hotel, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.lifecycle.backup.create.LOCK_TIMEOUT", "100ms")
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"LOCK TABLE {hotel.schema}.locks_room IN ACCESS EXCLUSIVE MODE")
        caught: list[CommandError] = []

        def try_backup() -> None:
            try:
                backup(file)
            except CommandError as error:
                caught.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=try_backup)
        thread.start()
        thread.join()
        cursor.execute("ROLLBACK")
    assert "probably a migration" in str(caught[0])
    assert files_in(file.parent) == []


def test_backup_hotel_overwrites_an_existing_file_only_with_force(file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(CommandError, match="--force"):
        backup(file)
    assert file.read_text() == "mine"
    backup(file, force=True)
    assert zipfile.is_zipfile(file)
    assert files_in(file.parent) == ["alpha.hotel"]


def test_backup_hotel_to_a_folder_is_refused(file: Path) -> None:
    with pytest.raises(CommandError, match="is a folder"):
        backup(file.parent, force=True)


def test_backup_hotel_to_a_missing_folder_fails(file: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file"):
        backup(file.parent / "nowhere" / "alpha.hotel")


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Limit the files that this process writes to four kilobytes, so that a backup fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_backup_hotel_on_a_full_disk_leaves_no_file(file: Path, small_disk: None) -> None:
    with pytest.raises(CommandError, match=r"cannot be written: .* The incomplete file was deleted"):
        backup(file)
    assert files_in(file.parent) == []
    with platform_context():
        assert not Event.objects.filter(event="hotel.backed_up").exists()


def test_backup_hotel_on_a_full_disk_keeps_an_earlier_backup(file: Path, small_disk: None) -> None:
    file.write_text("earlier")
    with pytest.raises(CommandError):
        backup(file, force=True)
    assert file.read_text() == "earlier"
    assert files_in(file.parent) == ["alpha.hotel"]


@pytest.mark.usefixtures("_differs_from_template")
def test_backup_hotel_with_an_old_pg_dump_names_the_package_to_install(
    file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path_factory.mktemp("old") / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    monkeypatch.setattr(pgtools, "_candidates", lambda _program, **_: [str(old)])
    with pytest.raises(CommandError, match=r"Install postgresql-client-\d+"):
        backup(file)
    assert files_in(file.parent) == []


@pytest.mark.usefixtures("_differs_from_template")
def test_backup_hotel_with_a_failing_pg_dump_fails_and_leaves_no_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_binary = pgtools.run_binary
    monkeypatch.setattr(
        pgtools,
        "run_binary",
        lambda program, *arguments: run_binary(program, *arguments, "--no-such-option"),
    )
    with pytest.raises(CommandError, match="pg_dump failed"):
        backup(file)
    assert files_in(file.parent) == []


def test_backup_hotel_of_an_unknown_hotel_fails_with_a_usage_error(file: Path) -> None:
    with pytest.raises(CommandError, match="no hotel") as caught:
        backup(file, "nowhere")
    assert caught.value.returncode == 2


def test_version_setting_equals_the_version_in_pyproject_toml() -> None:
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as stream:
        assert tomllib.load(stream)["project"]["version"] == settings.VERSION


def kill_backup(hotel: Hotel, file: Path) -> None:
    kill_while_waiting_for_lock(
        "backup_hotel", hotel.slug, "--to", str(file),
        lock=f"LOCK TABLE {hotel.schema}.locks_room IN ACCESS EXCLUSIVE MODE",
    )  # fmt: skip


def test_killed_backup_hotel_leaves_no_backup_file_and_can_be_repeated(hotel: Hotel, file: Path) -> None:
    kill_backup(hotel, file)
    assert not file.exists()
    assert sql.query("SELECT count(*) FROM audit_event WHERE event = 'hotel.backed_up'") == [(0,)]
    assert backup(file)["slug"] == "alpha"


def test_backup_hotel_deletes_the_temporary_file_of_a_killed_backup(hotel: Hotel, file: Path) -> None:
    kill_backup(hotel, file)
    [temporary_file] = file.parent.iterdir()
    assert stat.S_IMODE(temporary_file.stat().st_mode) == 0o600
    other_file = file.with_name(".another-program.part")
    other_file.touch()
    backup(file.with_name("other.hotel"))
    assert files_in(file.parent) == [other_file.name, "other.hotel"]


def test_backup_hotel_keeps_the_temporary_file_of_a_running_backup(hotel: Hotel, file: Path) -> None:
    with output_file.new_file(file.with_name("other.hotel")) as (_file, temporary_file):
        backup(file)
        assert files_in(file.parent) == sorted([temporary_file.name, "alpha.hotel"])


def test_backup_hotel_replaces_a_temporary_file_that_another_backup_deleted(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, other_backups = fcntl.flock, [file.with_name("other.hotel")]

    def run_other_backup_and_flock(fd: Any, operation: int) -> None:
        if other_backups:
            with output_file.new_file(other_backups.pop()):
                assert len(files_in(file.parent)) == 1
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", run_other_backup_and_flock)
    assert backup(file)["bytes"] == file.stat().st_size
    assert files_in(file.parent) == ["alpha.hotel"]

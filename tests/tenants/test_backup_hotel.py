"""Backing a hotel up: one file that is whole, private and right, or none."""

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
from tests.tenants.killing import kill_where_it_waits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alpha.hotel"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_one_private_file_that_says_what_is_in_it(hotel: Hotel, file: Path) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="ana", password=None, role="manager")
    told = backup(file)
    assert left_in(file.parent) == ["alpha.hotel"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert told["bytes"] == file.stat().st_size
    assert told["tables"]["tenants_user"] == 1
    with zipfile.ZipFile(file) as packed:
        manifest = json.loads(packed.read("manifest.json"))
        assert packed.read("rows/tenants_user").decode().split("\t")[3] == "ana"
    assert manifest["hotel"]["slug"] == "alpha"
    assert "locks.0001_initial" in manifest["migrations"]


def test_the_platforms_trail_knows_the_file_by_its_digest(file: Path) -> None:
    told = backup(file)
    with platform_context():
        event = Event.objects.get(event="hotel.backed_up")
    assert (event.actor_label, event.data["slug"]) == ("backup_hotel", "alpha")
    assert event.data["detail"]["sha256"] == told["sha256"]
    assert str(file.parent) not in json.dumps(event.data)


def test_a_person_is_told_that_it_holds_personal_data(file: Path) -> None:
    out = StringIO()
    call_command("backup_hotel", "alpha", to=file, stdout=out)
    assert "personal data: keep it safe" in out.getvalue()


def test_a_suspended_hotel_can_be_backed_up(hotel: Hotel, file: Path) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    assert backup(file)["slug"] == "alpha"


def test_it_sees_one_moment_while_people_go_on_working(
    hotel: Hotel, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member of staff and a contact that come after its snapshot are in neither part of it."""
    pipe = pgtools.run_binary

    def meanwhile(program: str, *arguments: str, given: bytes = b"") -> bytes:
        def come() -> None:
            with hotel_context(hotel):
                User.objects.create_user(username="late", password=None, role="manager")
            services.add_domain(hotel_id=hotel.id, host="late.example")
            connection.close()

        if program == "pg_dump":
            thread = threading.Thread(target=come)
            thread.start()
            thread.join()
        return pipe(program, *arguments, given=given)

    monkeypatch.setattr(pgtools, "pipe", meanwhile)
    told = backup(file)
    assert told["tables"]["tenants_user"] == told["shared"]["tenants_domain"] == 0
    with hotel_context(hotel):
        assert User.objects.filter(username="late").exists()


def test_a_hotel_that_is_being_made_is_refused(file: Path) -> None:
    with platform_context():
        Hotel.objects.create(slug="sol", name="Sol", schema="hotel_sol", status=HotelStatus.PROVISIONING)
    with pytest.raises(CommandError, match="still being made"):
        backup(file, "sol")
    assert left_in(file.parent) == []


def test_a_hotel_in_the_middle_of_a_migration_is_refused(hotel: Hotel, file: Path) -> None:
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(schema_version="")
    with pytest.raises(CommandError, match="migrate --hotel alpha"):
        backup(file)
    assert left_in(file.parent) == []


def test_a_migration_that_holds_a_table_is_told(
    hotel: Hotel, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.lifecycle.backup.create.LOCK_TIMEOUT", "100ms")
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"LOCK TABLE {hotel.schema}.locks_room IN ACCESS EXCLUSIVE MODE")
        caught: list[CommandError] = []

        def try_it() -> None:
            try:
                backup(file)
            except CommandError as error:
                caught.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
        cursor.execute("ROLLBACK")
    assert "a migration?" in str(caught[0])
    assert left_in(file.parent) == []


def test_a_file_that_is_there_stays_unless_forced(file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(CommandError, match="--force"):
        backup(file)
    assert file.read_text() == "mine"
    backup(file, force=True)
    assert zipfile.is_zipfile(file)
    assert left_in(file.parent) == ["alpha.hotel"]


def test_a_folder_is_no_file(file: Path) -> None:
    with pytest.raises(CommandError, match="is a folder"):
        backup(file.parent, force=True)


def test_a_folder_that_is_not_there_is_told(file: Path) -> None:
    with pytest.raises(CommandError, match="can't be written: No such file"):
        backup(file.parent / "nowhere" / "alpha.hotel")


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file of this process grows beyond four kilobytes: what a full disk does to who writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing(file: Path, small_disk: None) -> None:
    with pytest.raises(CommandError, match=r"can't be written: .* Nothing of it is left"):
        backup(file)
    assert left_in(file.parent) == []
    with platform_context():
        assert not Event.objects.filter(event="hotel.backed_up").exists()


def test_a_full_disk_leaves_the_earlier_backup(file: Path, small_disk: None) -> None:
    file.write_text("earlier")
    with pytest.raises(CommandError):
        backup(file, force=True)
    assert file.read_text() == "earlier"
    assert left_in(file.parent) == ["alpha.hotel"]


def test_a_pg_dump_that_is_too_old_is_told(
    file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path_factory.mktemp("old") / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    monkeypatch.setattr(pgtools, "_candidates", lambda _program, **_: [str(old)])
    with pytest.raises(CommandError, match=r"Install postgresql-client-\d+"):
        backup(file)
    assert left_in(file.parent) == []


def test_a_pg_dump_that_fails_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = pgtools.run_binary
    monkeypatch.setattr(
        pgtools, "pipe", lambda program, *arguments: pipe(program, *arguments, "--no-such-option")
    )
    with pytest.raises(CommandError, match="pg_dump failed"):
        backup(file)
    assert left_in(file.parent) == []


def test_an_unknown_hotel_is_wrong_usage(file: Path) -> None:
    with pytest.raises(CommandError, match="no hotel") as caught:
        backup(file, "nowhere")
    assert caught.value.returncode == 2


def test_the_version_that_a_backup_names_is_the_projects() -> None:
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as stream:
        assert tomllib.load(stream)["project"]["version"] == settings.VERSION


def kill_a_backup(hotel: Hotel, file: Path) -> None:
    kill_where_it_waits(
        "backup_hotel", hotel.slug, "--to", str(file),
        lock=f"LOCK TABLE {hotel.schema}.locks_room IN ACCESS EXCLUSIVE MODE",
    )  # fmt: skip


def test_killed_it_leaves_no_backup(hotel: Hotel, file: Path) -> None:
    kill_a_backup(hotel, file)
    assert not file.exists()
    assert sql.ask("SELECT count(*) FROM audit_event WHERE event = 'hotel.backed_up'") == [(0,)]
    assert backup(file)["slug"] == "alpha"


def test_what_a_killed_one_left_goes_with_the_next_in_its_folder(hotel: Hotel, file: Path) -> None:
    kill_a_backup(hotel, file)
    [left] = file.parent.iterdir()
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    anothers = file.with_name(".another-program.part")
    anothers.touch()
    backup(file.with_name("other.hotel"))
    assert left_in(file.parent) == [anothers.name, "other.hotel"]


def test_one_that_is_being_written_stays(hotel: Hotel, file: Path) -> None:
    with output_file.new_file(file.with_name("other.hotel")) as (_file, being_written):
        backup(file)
        assert left_in(file.parent) == sorted([being_written.name, "alpha.hotel"])


def test_one_that_another_took_for_abandoned_before_it_was_locked_is_begun_anew(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, rivals = fcntl.flock, [file.with_name("rival.hotel")]

    def flock_later(fd: Any, operation: int) -> None:
        if rivals:
            with output_file.new_file(rivals.pop()):
                assert len(left_in(file.parent)) == 1
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock_later)
    assert backup(file)["bytes"] == file.stat().st_size
    assert left_in(file.parent) == ["alpha.hotel"]

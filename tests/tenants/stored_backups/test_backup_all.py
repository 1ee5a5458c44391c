"""Tests that `backup_all` stores encrypted backups that can be restored, and that one failure stops no other backup."""

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.lifecycle.stored_backups.age_encryption import create_key_file
from tenants.lifecycle.stored_backups.names import hotel_target
from tenants.models import Hotel, User
from tests.tenants import sql
from tests.tenants.backups import delete, get_hotel, restore, sorted_dump
from tests.tenants.stored_backups.stored import files_in, run, state_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_backup_all_stores_an_encrypted_backup_of_each_hotel_and_of_the_platform(
    hotel: Hotel, other_hotel: Hotel, folder: Path
) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="zoraida", password=None, role="manager")
    backups = run("backup_all")["backups"]
    assert [(backup["slug"], backup["error"]) for backup in backups] == [
        ("alpha", ""),
        ("beta", ""),
        ("", ""),
    ]
    files = files_in(folder)
    assert [str(file.relative_to(folder)) for file in files] == sorted(backup["name"] for backup in backups)
    for file in files:
        content = file.read_bytes()
        assert content.startswith(b"age-encryption.org/v1\n")
        assert b"zoraida" not in content
        assert b"hotelagent-backup" not in content
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert state_of(hotel_target(hotel.id)).name == backups[0]["name"]


def test_stored_backup_of_a_hotel_restores_the_hotel_after_its_deletion(
    sol: Hotel, folder: Path, tmp_path: Path
) -> None:
    with hotel_context(sol):
        User.objects.create_user(username="ana", password=None, role="manager")
    before = sorted_dump(sol.schema)
    [backup] = run("backup_all", hotel=["sol"])["backups"]
    delete(sol)
    file = tmp_path / "sol.hotel"
    run("fetch_backup", backup["name"], to=file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert restore(file)["status"] == "active"
    assert sorted_dump(get_hotel("sol").schema) == before


def test_stored_backup_can_be_decrypted_with_each_key_of_the_identity_file(
    hotel: Hotel, folder: Path, key_file: Path, tmp_path: Path, settings: Any
) -> None:
    """Rotate the key: add a new key to the file, and encrypt for the new key only."""
    run("backup_all", hotel=["alpha"])
    new_file = tmp_path / "new.key"
    settings.BACKUP_RECIPIENTS = [create_key_file(new_file)]
    run("backup_all", hotel=["alpha"])
    newest, oldest = (backup["name"] for backup in run("list_backups", hotel="alpha"))
    with pytest.raises(CommandError, match="encrypted for another key"):
        call_command("fetch_backup", newest, to=tmp_path / "refused")
    key_file.write_text(key_file.read_text() + new_file.read_text())
    for number, name in enumerate((newest, oldest)):
        assert run("fetch_backup", name, to=tmp_path / f"{number}.hotel")["bytes"] > 0


def test_backup_all_records_audit_events_with_the_name_of_the_backup(hotel: Hotel, folder: Path) -> None:
    backups = run("backup_all")["backups"]
    with platform_context():
        events = Event.objects.filter(event__in=["hotel.backed_up", "backup.stored"])
        assert {event.data["detail"]["name"] for event in events} == {backup["name"] for backup in backups}


def test_backup_all_continues_after_a_failure_and_exits_with_1(
    hotel: Hotel, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(schema_version="")
    with pytest.raises(CommandError, match="1 of 3 backups failed") as caught:
        call_command("backup_all")
    assert caught.value.returncode == 1
    assert "alpha: A migration of alpha is running or was interrupted" in capsys.readouterr().out
    assert len(files_in(folder)) == 2
    state = state_of(hotel_target(hotel.id))
    assert "A migration of alpha" in state.error
    assert state.succeeded_at is None
    with platform_context():
        assert Event.objects.get(event="backup.failed").data["target"] == hotel_target(hotel.id)


def test_backup_all_without_settings_names_the_setting_and_exits_with_2(folder: Path, settings: Any) -> None:
    for name, value in (
        ("BACKUP_RECIPIENTS", []),
        ("BACKUP_RECIPIENTS", ["age1nonsense"]),
        ("BACKUP_URL", ""),
    ):
        previous = getattr(settings, name)
        setattr(settings, name, value)
        with pytest.raises(CommandError, match=name) as caught:
            call_command("backup_all")
        assert caught.value.returncode == 2
        setattr(settings, name, previous)


def test_backup_of_the_whole_database_is_a_dump_that_pg_restore_reads(folder: Path, tmp_path: Path) -> None:
    [backup] = run("backup_all", kind="database")["backups"]
    file = tmp_path / "all.dump"
    run("fetch_backup", backup["name"], to=file)
    from tenants.lifecycle import pgtools  # noqa: PLC0415

    program = pgtools.find_program("pg_restore", major=15, tls=False)
    listing = subprocess.run([program, "--list", file], capture_output=True, text=True, check=True).stdout
    assert "TABLE DATA hotel_alpha locks_room" in listing
    assert "TABLE DATA public tenants_hotel" in listing


def test_backup_of_a_suspended_hotel_is_made(hotel: Hotel, folder: Path) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    assert run("backup_all", hotel=["alpha"])["backups"][0]["error"] == ""


def test_backup_of_a_hotel_does_not_contain_the_state_of_its_backups(
    hotel: Hotel, folder: Path, tmp_path: Path
) -> None:
    """A hotel that is restored as a copy would otherwise seem to have a backup."""
    run("backup_all", hotel=["alpha"])
    [backup] = run("backup_all", hotel=["alpha"])["backups"]
    file = tmp_path / "alpha.hotel"
    run("fetch_backup", backup["name"], to=file)
    restore(file, slug="copy")
    copy = get_hotel("copy")
    assert sql.query("SELECT count(*) FROM tenants_backupstate WHERE hotel_id = %s", copy.id) == [(0,)]

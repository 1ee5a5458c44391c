"""Tests of backups that are killed, that fill the disk, or whose storage is unavailable: no incomplete file remains."""

import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from tenants.context import platform_context
from tenants.lifecycle.stored_backups import age_encryption
from tenants.lifecycle.stored_backups.names import hotel_target
from tenants.models import Hotel
from tests.tenants.kill_command import kill_while_waiting_for_lock
from tests.tenants.stored_backups.stored import files_in, run, state_of

pytestmark = pytest.mark.django_db(transaction=True)


#: Runs a command of `manage.py` with other settings, and with another folder for temporary files.
PROGRAM = """
import json, sys, tempfile
from django.conf import settings
from django.core.management import execute_from_command_line
for name, value in json.loads(sys.argv[1]).items():
    setattr(settings, name, value)
tempfile.tempdir = sys.argv[2]
execute_from_command_line(["manage.py", *sys.argv[3:]])
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Return the folder for temporary files of the commands that are killed."""
    path = tmp_path / "temporary"
    path.mkdir()
    return path


@pytest.fixture
def kill(folder: Path, temporary: Path, settings: Any) -> Callable[..., None]:
    """Return a function that kills a command while the command waits for a lock."""
    names = ("BACKUP_URL", "BACKUP_RECIPIENTS", "BACKUP_IDENTITY_FILE")
    values = json.dumps({name: getattr(settings, name) for name in names})

    def run_and_kill(*arguments: str, lock: str) -> None:
        kill_while_waiting_for_lock(values, str(temporary), *arguments, lock=lock, program=("-c", PROGRAM))

    return run_and_kill


@pytest.mark.parametrize(
    "lock",
    [
        "LOCK TABLE hotel_alpha.locks_room IN ACCESS EXCLUSIVE MODE",  # before the backup writes the first byte
        "LOCK TABLE public.tenants_contactidentifier IN ACCESS EXCLUSIVE MODE",  # after the hotel's schema
    ],
)
def test_killed_backup_leaves_no_plain_text_and_the_next_backup_succeeds(
    hotel: Hotel, folder: Path, temporary: Path, kill: Callable[..., None], lock: str
) -> None:
    kill("backup_all", "--hotel", "alpha", lock=lock)
    assert files_in(temporary) == []
    [unfinished] = files_in(folder)
    assert unfinished.name.startswith(".")
    assert unfinished.read_bytes() == b""
    assert run("list_backups") == []
    [backup] = run("backup_all", hotel=["alpha"])["backups"]
    assert files_in(folder) == [folder / backup["name"]]
    assert run("restore_drill", hotel=["alpha"])["passed"] == 1


def test_backup_that_is_killed_after_it_was_stored_is_complete(
    hotel: Hotel, folder: Path, temporary: Path, kill: Callable[..., None]
) -> None:
    """The command waits for the lock when it records the stored backup."""
    run("backup_all", hotel=["alpha"])
    kill("backup_all", "--hotel", "alpha", lock="LOCK TABLE public.tenants_backupstate IN EXCLUSIVE MODE")
    assert files_in(temporary) == []
    newest, recorded = (backup["name"] for backup in run("list_backups", hotel="alpha"))
    assert state_of(hotel_target(hotel.id)).name == recorded
    [result] = run("restore_drill", hotel=["alpha"])["drills"]
    assert (result["name"], result["error"]) == (newest, "")


def test_killed_drill_leaves_nothing_and_the_next_drill_succeeds(
    hotel: Hotel, folder: Path, temporary: Path, kill: Callable[..., None]
) -> None:
    """The drill waits for the lock when it has compared everything and stores its result."""
    run("backup_all", hotel=["alpha"])
    kill("restore_drill", "--hotel", "alpha", lock="LOCK TABLE public.tenants_backupstate IN EXCLUSIVE MODE")
    assert files_in(temporary) == []
    assert run("restore_drill", hotel=["alpha"])["passed"] == 1


@pytest.fixture
def full_disk() -> Iterator[Path]:
    """Mount a disk of 64 KiB, which is too small for a backup. Only root may mount."""
    path = Path(tempfile.mkdtemp())
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)]
    if not mounted or subprocess.run(command, check=False, capture_output=True).returncode:
        path.rmdir()
        pytest.skip("This user may not mount a small disk: NOT TESTED. Run the test as root.")
    yield path
    subprocess.run(["umount", str(path)], check=True)
    path.rmdir()


def test_backup_to_a_full_disk_fails_with_a_clear_error_and_leaves_no_file(
    hotel: Hotel, key_file: Path, full_disk: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.BACKUP_URL = f"file://{full_disk}"
    (full_disk / "other").write_bytes(bytes(60_000))
    with pytest.raises(CommandError, match="1 of 1 backups failed"):
        call_command("backup_all", hotel=["alpha"])
    assert "No space left on device" in capsys.readouterr().out
    assert files_in(full_disk) == [full_disk / "other"]
    assert "No space left on device" in state_of(hotel_target(hotel.id)).error
    (full_disk / "other").unlink()
    assert run("backup_all", hotel=["alpha"])["backups"][0]["error"] == "", (
        "the control: with space it succeeds"
    )


def test_backup_without_space_for_its_temporary_file_names_the_folder(
    hotel: Hotel, folder: Path, full_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (full_disk / "other").write_bytes(bytes(60_000))
    monkeypatch.setattr(tempfile, "tempdir", str(full_disk))
    [backup] = run("backup_all", hotel=["alpha"])["backups"]
    assert f"A temporary file in {full_disk} cannot be written: No space left on device" in backup["error"]
    assert files_in(folder) == []


def test_storage_that_disappears_fails_with_a_clear_error_and_is_recorded(hotel: Hotel, folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file instead of a folder")
    [backup] = run("backup_all", hotel=["alpha"])["backups"]
    assert "Check that the folder of BACKUP_URL exists" in backup["error"]
    with platform_context():
        assert Event.objects.filter(event="backup.failed").exists()
        assert not Event.objects.filter(event="hotel.backed_up").exists()
    folder.unlink()
    folder.mkdir()
    assert run("backup_all", hotel=["alpha"])["backups"][0]["error"] == ""


def test_file_size_limit_during_encryption_leaves_no_object(
    hotel: Hotel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is set when the unencrypted file is complete, so the encrypted file exceeds the limit."""
    encrypt = age_encryption.encrypt
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def encrypt_with_limit(source: Any, target: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
        try:
            encrypt(source, target)
            target.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(age_encryption, "encrypt", encrypt_with_limit)
    [backup] = run("backup_all", hotel=["alpha"])["backups"]
    assert "File too large" in backup["error"]
    assert files_in(folder) == []


def test_backup_fetched_to_a_full_disk_leaves_no_file(hotel: Hotel, folder: Path, full_disk: Path) -> None:
    [backup] = run("backup_all", hotel=["alpha"])["backups"]
    (full_disk / "other").write_bytes(bytes(60_000))
    with pytest.raises(CommandError, match="No space left on device"):
        call_command("fetch_backup", backup["name"], to=full_disk / "alpha.hotel")
    assert files_in(full_disk) == [full_disk / "other"]

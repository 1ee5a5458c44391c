"""Tests that a restore drill finds backups that are damaged, missing or of another hotel, and changes no hotel."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from tenants.context import hotel_context, platform_context
from tenants.lifecycle.stored_backups import age_encryption
from tenants.lifecycle.stored_backups.names import hotel_target
from tenants.models import BackupState, Hotel, User
from tenants.tasks import run_due_drills
from tests.servers import MailServer
from tests.tenants import sql
from tests.tenants.backups import DatabaseState
from tests.tenants.populated_hotel import create_populated_hotel
from tests.tenants.stored_backups.stored import run, state_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_restore_drill_restores_every_row_and_leaves_nothing_behind(
    hotel: Hotel, folder: Path, tmp_path: Path, smtp: MailServer
) -> None:
    create_populated_hotel("sol", folder=tmp_path, smtp=smtp)
    run("backup_all")
    before, sent = DatabaseState(), len(smtp.accepted)
    events = sql.query("SELECT count(*) FROM hotel_sol.audit_event")
    result = run("restore_drill")
    assert (result["passed"], result["failed"]) == (4, 0)
    rows = {entry["slug"] or entry["target"]: entry["rows"] for entry in result["drills"]}
    assert rows["sol"] > 500
    assert rows["platform"] > 0
    assert before.is_unchanged()
    drill_database = "'hotelagent_drill_' || (SELECT oid FROM pg_database WHERE datname = current_database())"
    assert sql.query(f"SELECT 1 FROM pg_database WHERE datname = {drill_database}") == []
    assert sql.query("SELECT count(*) FROM hotel_sol.audit_event") == events
    assert len(smtp.accepted) == sent
    assert state_of(hotel_target(hotel.id)).drilled_at is not None
    with platform_context():
        assert Event.objects.get(event="backup.drilled").data["passed"] == 4


def test_restore_drill_of_a_damaged_backup_fails_with_exit_code_1(hotel: Hotel, folder: Path) -> None:
    [backup] = run("backup_all", hotel=["alpha"])["backups"]
    file = folder / backup["name"]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CommandError, match="1 of 1 drills failed") as caught:
        call_command("restore_drill", hotel=["alpha"])
    assert caught.value.returncode == 1
    state = state_of(hotel_target(hotel.id))
    assert "truncated or changed" in state.drill_error
    assert state.drilled_at is None
    with platform_context():
        event = Event.objects.get(event="backup.drilled")
    assert (event.data["passed"], event.data["failed"]) == (0, 1)
    assert hotel_target(hotel.id) in event.data["detail"]["failures"]


def test_restore_drill_finds_rows_that_differ_from_the_manifest(
    hotel: Hotel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database changes a restored row, as a server of another version might do."""
    with hotel_context(hotel):
        User.objects.create_user(username="ana", password=None, role="manager")
    run("backup_all", hotel=["alpha"])
    from tenants.lifecycle.backup import restore  # noqa: PLC0415

    create = restore._create_schema

    def create_and_change(cursor: Any, backup: Any, hotel: Hotel, progress: Any) -> None:
        create(cursor, backup, hotel, progress)
        cursor.execute(f"UPDATE {hotel.schema}.tenants_user SET full_name = 'x'")

    monkeypatch.setattr(restore, "_create_schema", create_and_change)
    [result] = run("restore_drill", hotel=["alpha"])["drills"]
    assert "These restored tables differ from the backup: audit_event, tenants_user" in result["error"]
    assert result["rows"] is None


def test_restore_drill_of_a_dump_with_missing_rows_fails(folder: Path, tmp_path: Path) -> None:
    run("backup_all")
    name = state_of("platform").name
    plain, changed = io.BytesIO(), io.BytesIO()
    with (folder / name).open("rb") as file:
        age_encryption.decrypt(file, plain, name=name)
    content = plain.getvalue().replace(b'"tenants_hotel": 2', b'"tenants_hotel": 3', 1)
    assert content != plain.getvalue()
    age_encryption.encrypt(io.BytesIO(content), changed)
    (folder / name).write_bytes(changed.getvalue())
    errors = {entry["target"]: entry["error"] for entry in run("restore_drill")["drills"]}
    assert "public.tenants_hotel has 2 rows instead of 3" in errors["platform"]
    assert sql.query("SELECT 1 FROM pg_database WHERE datname LIKE 'hotelagent\\_drill\\_%'") == []


def test_restore_drill_without_a_backup_or_with_a_missing_newest_backup_fails(
    hotel: Hotel, folder: Path
) -> None:
    [result] = run("restore_drill", hotel=["alpha"])["drills"]
    assert "contains no backup" in result["error"]
    run("backup_all", hotel=["alpha"])
    [newest] = run("backup_all", hotel=["alpha"])["backups"]
    run("restore_drill", hotel=["alpha"])
    (folder / newest["name"]).unlink()
    [result] = run("restore_drill", hotel=["alpha"])["drills"]
    assert "which was stored last" in result["error"]


def test_scheduled_drills_run_once_per_week_and_only_with_a_private_key(
    hotel: Hotel, folder: Path, settings: Any
) -> None:
    run("backup_all", hotel=["alpha"])
    identity, settings.BACKUP_IDENTITY_FILE = settings.BACKUP_IDENTITY_FILE, ""
    with platform_context():
        assert run_due_drills() == 0
        settings.BACKUP_IDENTITY_FILE = identity
        assert run_due_drills() == 1
        assert run_due_drills() == 0
        BackupState.objects.update(next_drill_at="2020-01-01T00:00Z")
        assert run_due_drills() == 1


def test_restore_drill_of_a_file_with_the_backup_of_another_hotel_fails(
    hotel: Hotel, other_hotel: Hotel, folder: Path
) -> None:
    first, second, _platform = run("backup_all")["backups"]
    (folder / first["name"]).write_bytes((folder / second["name"]).read_bytes())
    [result] = run("restore_drill", hotel=["alpha"])["drills"]
    assert "contains the hotel beta, which is another hotel" in result["error"]

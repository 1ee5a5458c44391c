"""Tests that metrics, `doctor` and the platform's admin show the age of the last good backup of each hotel."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hotelagent.monitoring.doctor.backups import examine_backups
from hotelagent.monitoring.doctor.findings import State
from tenants.context import platform_context
from tenants.lifecycle.stored_backups.metrics import describe_metrics, read_metrics
from tenants.lifecycle.stored_backups.names import hotel_target
from tenants.models import BackupState, Hotel
from tests.tenants.backups import delete
from tests.tenants.stored_backups.stored import run

pytestmark = pytest.mark.django_db(transaction=True)


def values() -> dict[str, float]:
    return {metric.name: metric.samples[0].value for metric in read_metrics()}


def findings() -> dict[State, str]:
    return {finding.state: f"{finding.detail} {finding.remedy}" for finding in examine_backups()}


def age(hotel: Hotel, **changes: Any) -> None:
    with platform_context():
        BackupState.objects.filter(hotel_id=hotel.id).update(**changes)


def days_ago(days: float) -> datetime.datetime:
    return timezone.now() - datetime.timedelta(days=days)


def test_recent_backups_are_not_reported_as_overdue(hotel: Hotel, folder: Path) -> None:
    run("backup_all")
    assert values()["hotelagent_backup_overdue_targets"] == 0
    assert values()["hotelagent_backup_oldest_seconds"] < 600
    assert findings().keys() == {State.OK}
    assert {metric.name for metric in describe_metrics()} == set(values())


def test_overdue_backup_is_reported_with_its_age_its_error_and_a_remedy(
    hotel: Hotel, folder: Path, operator: Client
) -> None:
    run("backup_all")
    age(hotel, succeeded_at=days_ago(2), error="The disk is full.")
    assert values()["hotelagent_backup_overdue_targets"] == 1
    assert 2 * 86_400 <= values()["hotelagent_backup_oldest_seconds"] < 2 * 86_400 + 600
    problem = findings()[State.PROBLEM]
    assert "1 (alpha). The oldest is 48 hours old. Last errors: alpha: The disk is full." in problem
    assert "manage.py backup_all" in problem
    page = operator.get("/admin/tenants/hotel/").content.decode()
    assert "2\xa0days ago. The disk is full." in page
    assert "minutes ago" in page


def test_age_of_a_missing_backup_is_counted_from_the_creation_of_the_hotel(
    hotel: Hotel, folder: Path, operator: Client
) -> None:
    with platform_context():
        Hotel.objects.update(created_at=days_ago(1))
    assert values()["hotelagent_backup_overdue_targets"] == 0
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(created_at=days_ago(2))
    assert values()["hotelagent_backup_overdue_targets"] == 1
    assert "never" in operator.get("/admin/tenants/hotel/").content.decode()


def test_failed_and_old_drills_are_reported(hotel: Hotel, folder: Path) -> None:
    run("backup_all", hotel=["alpha"])
    age(hotel, drill_error="It cannot be decrypted.", drilled_at=days_ago(11))
    assert values()["hotelagent_restore_drill_failed_targets"] == 1
    assert values()["hotelagent_restore_drill_oldest_seconds"] > 10 * 86_400
    assert "alpha: It cannot be decrypted." in findings()[State.PROBLEM]
    age(hotel, drill_error="")
    assert "11 days ago. Run `manage.py restore_drill`." in findings()[State.WARNING]


def test_doctor_reports_invalid_settings_and_a_missing_storage(
    hotel: Hotel, folder: Path, settings: Any
) -> None:
    folder.rmdir()
    assert "Check that the folder of BACKUP_URL exists" in findings()[State.PROBLEM]
    settings.BACKUP_RECIPIENTS = []
    assert "BACKUP_RECIPIENTS is empty" in findings()[State.PROBLEM]
    settings.BACKUP_URL = ""
    assert "BACKUP_URL is not set" in findings()[State.WARNING]
    assert read_metrics() == []


def test_backup_state_of_a_deleted_hotel_is_deleted(sol: Hotel, folder: Path) -> None:
    run("backup_all", hotel=["sol"])
    delete(sol)
    with platform_context():
        assert not BackupState.objects.filter(target=hotel_target(sol.id)).exists()

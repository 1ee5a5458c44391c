"""Tests of the rotation, which keeps daily, weekly and monthly backups and never deletes the newest good backup."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.lifecycle.stored_backups.create import list_backups
from tenants.lifecycle.stored_backups.names import (
    StoredBackup,
    deployment_prefix,
    hotel_target,
    make_name,
    parse_name,
)
from tenants.lifecycle.stored_backups.rotation import Retention, find_expired
from tenants.lifecycle.stored_backups.storage import get_storage
from tenants.models import Hotel
from tests.tenants.stored_backups.stored import files_in, run

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
TIMES = st.datetimes(
    min_value=datetime.datetime(2024, 1, 1),  # noqa: DTZ001 - Hypothesis adds the time zone
    max_value=datetime.datetime(2026, 12, 31),  # noqa: DTZ001
    timezones=st.just(datetime.UTC),
)
BACKUPS = st.lists(TIMES, unique=True, max_size=60).map(
    lambda times: [StoredBackup(make_name("platform", time), "platform", time) for time in times]
)
COUNTS = st.integers(0, 8)


def is_older_than_a_day(backup: StoredBackup, backups: list[StoredBackup]) -> bool:
    newest = max(other.created_at for other in backups)
    return newest - backup.created_at >= datetime.timedelta(days=1)


def daily(days: int) -> list[StoredBackup]:
    times = [START + datetime.timedelta(days=number) for number in range(days)]
    return [StoredBackup(make_name("platform", time), "platform", time) for time in times]


@given(BACKUPS, COUNTS, COUNTS, COUNTS, st.data())
def test_rotation_never_deletes_the_newest_or_a_verified_backup(
    backups: list[StoredBackup], days: int, weeks: int, months: int, data: st.DataObject
) -> None:
    verified = data.draw(st.sets(st.sampled_from(backups), max_size=3)) if backups else set()
    expired = find_expired(
        backups, Retention(days, weeks, months), verified={backup.name for backup in verified}
    )
    assert not set(expired) & verified
    assert set(expired) <= set(backups)
    if backups:
        assert max(backups, key=lambda backup: backup.created_at) not in expired


@given(BACKUPS, COUNTS, COUNTS, COUNTS)
def test_rotation_keeps_the_newest_backup_of_each_of_the_last_days_weeks_and_months(
    backups: list[StoredBackup], days: int, weeks: int, months: int
) -> None:
    kept = set(backups) - set(find_expired(backups, Retention(days, weeks, months)))
    for count, period in ((days, "%Y-%m-%d"), (weeks, "%G-%V"), (months, "%Y-%m")):
        newest = {
            backup.created_at.strftime(period): backup
            for backup in sorted(backups, key=lambda backup: backup.created_at)
        }
        for name in sorted(newest, reverse=True)[:count]:
            assert newest[name] in kept
    newest_day = [backup for backup in backups if not is_older_than_a_day(backup, backups)]
    assert set(newest_day) <= kept
    assert len(kept) <= days + weeks + months + len(newest_day)


@given(BACKUPS, COUNTS, COUNTS, COUNTS)
def test_second_rotation_deletes_nothing(
    backups: list[StoredBackup], days: int, weeks: int, months: int
) -> None:
    retention = Retention(days, weeks, months)
    expired = find_expired(backups, retention)
    assert find_expired([backup for backup in backups if backup not in expired], retention) == []


def test_rotation_of_a_year_of_daily_backups_keeps_days_weeks_and_months() -> None:
    kept = set(daily(365)) - set(find_expired(daily(365), Retention(daily=7, weekly=5, monthly=12)))
    dates = sorted(backup.created_at.date().isoformat() for backup in kept)
    assert dates[:3] == ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert dates[-7:] == [f"2026-12-{day}" for day in (25, 26, 27, 28, 29, 30, 31)]
    assert len(dates) == 7 + 4 + 11 - 1


def test_file_name_of_another_deployment_or_of_a_copied_file_is_not_a_backup_name(settings: Any) -> None:
    name = make_name("platform", START)
    assert parse_name(name) == StoredBackup(name, "platform", START)
    settings.PLATFORM_HOST = "other.example"
    assert parse_name(name) is None
    settings.PLATFORM_HOST = "localhost"
    for other in (f"{name}.copy", name.replace(".age", ""), name.replace("platform/", "platform/old/"), "x"):
        assert parse_name(other) is None


@pytest.mark.django_db(transaction=True)
def test_backup_deletes_expired_backups_but_no_file_that_is_not_a_backup(
    hotel: Hotel, folder: Path, settings: Any
) -> None:
    settings.BACKUP_KEEP_DAILY, settings.BACKUP_KEEP_WEEKLY, settings.BACKUP_KEEP_MONTHLY = 1, 0, 0
    target = hotel_target(hotel.id)
    expired = folder / make_name(target, START)
    expired.parent.mkdir(parents=True)
    others = [
        expired.with_name(f"{expired.name}.copy"),
        folder / make_name("platform", START),
        folder / "other-localhost" / make_name(target, START).removeprefix(deployment_prefix()),
        folder / "notes.txt",
    ]
    for path in (expired, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    [backup] = run("backup_all", hotel=["alpha"])["backups"]
    assert files_in(folder) == sorted([*others, folder / backup["name"]])
    assert [stored.name for stored in list_backups(get_storage(), target=target)] == [backup["name"]]

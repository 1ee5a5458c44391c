"""Tests of the scheduled backups: each hotel once per night, a few at a time, and no failure stops other backups."""

import datetime
import threading
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from tenants.context import platform_context
from tenants.database.connections import direct_connection
from tenants.lifecycle.stored_backups import create, states
from tenants.lifecycle.stored_backups.errors import BackupInProgress
from tenants.lifecycle.stored_backups.names import hotel_target
from tenants.lifecycle.stored_backups.states import NIGHT_BEGINS, NIGHT_HOURS, next_night
from tenants.models import BackupState, Hotel
from tenants.tasks import make_due_backups
from tests.tenants.stored_backups.stored import files_in, state_of


@given(
    st.datetimes(
        min_value=datetime.datetime(2025, 1, 1),  # noqa: DTZ001 - Hypothesis adds the time zone
        max_value=datetime.datetime(2027, 1, 1),  # noqa: DTZ001
        timezones=st.just(datetime.UTC),
    ),
    st.sampled_from(["Europe/Madrid", "America/New_York", "Asia/Kathmandu", "UTC", "Mars/Olympus"]),
)
def test_next_backup_is_in_the_next_night_of_the_hotel(now: datetime.datetime, time_zone: str) -> None:
    time = next_night(now, time_zone)
    zone = ZoneInfo("UTC" if time_zone.startswith("Mars") else time_zone)
    # The hour may differ by one, because a night in which the clocks change is shorter or longer.
    assert NIGHT_BEGINS - 1 <= time.astimezone(zone).hour <= NIGHT_BEGINS + NIGHT_HOURS
    assert datetime.timedelta(hours=2) < time - now < datetime.timedelta(hours=34)


def make_due() -> None:
    with platform_context():
        BackupState.objects.update(next_at="2020-01-01T00:00Z")


def run_task() -> int:
    with platform_context():
        return int(make_due_backups())


@pytest.mark.django_db(transaction=True)
def test_scheduled_backups_are_made_once_when_they_are_due(hotel: Hotel, folder: Path) -> None:
    assert run_task() == 0
    assert state_of(hotel_target(hotel.id)).next_at is not None
    make_due()
    assert run_task() == 3
    assert run_task() == 0
    assert len(files_in(folder)) == 3


@pytest.mark.django_db(transaction=True)
def test_scheduled_backups_without_storage_do_nothing(hotel: Hotel, settings: Any) -> None:
    settings.BACKUP_URL = ""
    assert run_task() == 0
    with platform_context():
        assert not BackupState.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_failed_backup_of_one_hotel_stops_no_other_backup_and_is_tried_again(
    hotel: Hotel, folder: Path
) -> None:
    run_task()
    make_due()
    with platform_context():
        version = Hotel.objects.get(id=hotel.id).schema_version
        Hotel.objects.filter(id=hotel.id).update(schema_version="")
    assert run_task() == 2
    failed = state_of(hotel_target(hotel.id))
    assert "A migration of alpha" in failed.error
    assert failed.next_at is not None
    assert failed.next_at < datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=31)
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(schema_version=version)
    make_due()
    assert run_task() == 3
    assert state_of(hotel_target(hotel.id)).error == ""


@pytest.mark.django_db(transaction=True)
def test_two_tasks_at_the_same_time_back_up_each_hotel_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both tasks have read the list of due targets before the first backup begins."""
    run_task()
    make_due()
    barrier = threading.Barrier(2, timeout=30)
    find = states.find_due_backups

    def find_and_wait() -> list[str]:
        found = find()
        barrier.wait()
        return found

    monkeypatch.setattr(states, "find_due_backups", find_and_wait)
    made: list[int] = []

    def work() -> None:
        made.append(run_task())
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made) == len(files_in(folder)) == 3


@pytest.mark.django_db(transaction=True)
def test_backup_task_does_nothing_while_the_maximum_number_of_tasks_is_running(
    hotel: Hotel, folder: Path
) -> None:
    run_task()
    make_due()
    entered, leave = threading.Barrier(create.MAX_WORKERS + 1, timeout=30), threading.Event()
    slots: list[bool] = []

    def occupy() -> None:
        with direct_connection(), platform_context(), create.worker_slot("backups") as has_slot:
            slots.append(has_slot)
            entered.wait()
            leave.wait(30)

    threads = [threading.Thread(target=occupy) for _ in range(create.MAX_WORKERS)]
    for thread in threads:
        thread.start()
    entered.wait()
    assert slots == [True, True]
    assert run_task() == 0
    leave.set()
    for thread in threads:
        thread.join()
    assert run_task() == 3


@pytest.mark.django_db(transaction=True)
def test_backup_command_refuses_a_hotel_that_another_process_backs_up(hotel: Hotel, folder: Path) -> None:
    target = hotel_target(hotel.id)
    outcomes: list[object] = []

    def back_up() -> None:
        outcomes.extend(create.make_backups([(target, hotel.id)]))
        connection.close()

    with direct_connection(), platform_context(), states.try_lock(target) as is_acquired:
        assert is_acquired
        thread = threading.Thread(target=back_up)
        thread.start()
        thread.join()
    assert isinstance(outcomes[0], BackupInProgress)
    assert files_in(folder) == []

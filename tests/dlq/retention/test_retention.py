"""Tests of the daily clean-up of failures: lost retries, personal data of closed failures, and old failures."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from dlq import services, tasks
from dlq.groups.models import FailureGroup
from dlq.models import Attempt, Failure
from dlq.retention import clean_up as retention
from dlq.retention.models import CleanUpProgress, FailureSettings
from dlq.retention.settings import change_settings
from dlq.retries import attempts, runner
from hotelagent.core.ids import first_uuid7_at
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel
from tests.dlq.conftest import Lamp, capture_failure, make_due, reload

pytestmark = pytest.mark.django_db


def closed_failure(days: int) -> Failure:
    """Return a failure that was captured and discarded `days` days ago."""
    failure = capture_failure(room=str(days))
    services.discard(failure_id=failure.id, reason="Ana called")
    moment = database_now() - timedelta(days=days)
    old_id = first_uuid7_at(moment)
    stored = Failure.objects.get(id=failure.id)
    attempts_of = list(stored.attempts.all())
    Attempt.objects.filter(failure=stored).delete()
    Failure.objects.filter(id=failure.id).update(id=old_id, created_at=moment, closed_at=moment)
    for attempt in attempts_of:
        attempt.failure_id = old_id
    Attempt.objects.bulk_create(attempts_of)
    FailureGroup.objects.update(created_at=moment, last_seen_at=moment)
    return Failure.objects.get(id=old_id)


def test_clean_up_deletes_personal_data_after_30_days_and_failures_after_180_days(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    open_failure = capture_failure(room="open")
    recent, old, oldest = closed_failure(29), closed_failure(31), closed_failure(181)
    Failure.objects.filter(id=old.id).update(payload={}, corrected_payload={"lamp": 2})
    tasks.clean_up([str(in_hotel.id)])
    assert set(Failure.objects.values_list("id", flat=True)) == {open_failure.id, recent.id, old.id}
    assert reload(recent).payload == {"lamp": 1, "room": "29"}
    assert (reload(old).payload, reload(old).error_message, reload(old).discard_reason) == ({}, "", "")
    assert reload(old).corrected_payload is None
    assert [attempt.error_message for attempt in old.attempts.all()] == [""]
    assert not Attempt.objects.filter(failure_id=oldest.id).exists()
    deleted = Event.objects.filter(event="retention.deleted").values_list("data__kind", "data__count")
    assert dict(deleted) == {"failuredata": 2, "failure": 1}


def test_clean_up_deletes_groups_without_failures(in_hotel: Hotel, lamp: Lamp) -> None:
    closed_failure(181)
    retention.clean_up()
    assert not FailureGroup.objects.exists()


@pytest.mark.parametrize("kept", [{"note": "call Ana"}, {"joined_to": "0" * 16}, {"splits": []}])
def test_clean_up_keeps_groups_with_notes_or_rules(
    in_hotel: Hotel, lamp: Lamp, kept: dict[str, object]
) -> None:
    closed_failure(181)
    FailureGroup.objects.update(**kept)
    retention.clean_up()
    assert FailureGroup.objects.count() == 1


@pytest.mark.parametrize("is_claimed", [False, True], ids=["scheduled", "retrying"])
def test_failure_whose_due_item_was_deleted_is_kept_in_doubt_until_a_person_decides(
    in_hotel: Hotel, lamp: Lamp, is_claimed: bool
) -> None:
    failure, other = capture_failure(room="1"), capture_failure(room="2")
    if is_claimed:
        make_due(failure)
        attempts.claim(failure_id=failure.id)
    with platform_context():
        DueItem.objects.filter(item_id=failure.id).delete()
    retention.clean_up()
    assert (reload(failure).status, reload(other).status) == ("in_doubt", "scheduled")
    services.retry(failure_id=failure.id)
    runner.retry_due(failure_id=failure.id)
    assert reload(failure).status == "resolved"


def test_clean_up_of_the_platform_keeps_scheduled_failures(platform: None, lamp: Lamp) -> None:
    failure = capture_failure()
    tasks.clean_up_platform()
    assert reload(failure).status == "scheduled"


def test_settings_of_the_hotel_say_how_long_closed_failures_are_kept(in_hotel: Hotel, lamp: Lamp) -> None:
    change_settings(keep_payload_days=5, keep_failure_days=10)
    recent, old, oldest = closed_failure(4), closed_failure(6), closed_failure(11)
    retention.clean_up()
    assert reload(recent).payload == {"lamp": 1, "room": "4"}
    assert reload(old).payload == {}
    assert not Failure.objects.filter(id=oldest.id).exists()


def test_payload_is_deleted_by_the_first_clean_up_after_its_retention_period(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failures = [closed_failure(days) for days in (100, 90, 80)]
    open_failure, recently_closed, _cleaned = failures
    Failure.objects.filter(id=open_failure.id).update(status="permanent", closed_at=None)
    Failure.objects.filter(id=recently_closed.id).update(closed_at=database_now() - timedelta(days=1))
    retention.clean_up()
    assert CleanUpProgress.objects.get().remaining == [open_failure.id, recently_closed.id]
    assert [bool(reload(failure).payload) for failure in failures] == [True, True, False]
    month_ago = database_now() - timedelta(days=31)
    Failure.objects.filter(id=recently_closed.id).update(closed_at=month_ago)
    Failure.objects.filter(id=open_failure.id).update(status="resolved", closed_at=month_ago)
    retention.clean_up()
    assert CleanUpProgress.objects.get().remaining == []
    assert [bool(reload(failure).payload) for failure in failures] == [False, False, False]


def copy_failure(failure: Failure, *, count: int) -> None:
    """Store copies of a failure, so that the clean-up needs several batches. The ids of the copies are consecutive."""
    copies = []
    for number in range(1, count + 1):
        copy = Failure.objects.get(id=failure.id)
        copy.id = type(failure.id)(int=failure.id.int + number)
        copy.work_key = f"copy {number}"
        copies.append(copy)
    Failure.objects.bulk_create(copies)


def test_clean_up_reads_each_closed_failure_only_once(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_SIZE", 10)
    copy_failure(closed_failure(60), count=199)

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            retention.clean_up()
        return len(queries)

    first = statements()
    assert not Failure.objects.exclude(payload={}).exists()
    assert statements() < first / 5
    # Without the stored progress, all failures are read again.
    CleanUpProgress.objects.all().delete()
    assert statements() > first / 3


def test_manager_changes_how_long_failures_are_kept(staff: Client, hotel: Hotel) -> None:
    page = "/admin/dlq/failuresettings/"
    limits = {"alert_open": 100, "alert_age_hours": 24, "alert_per_hour": 50}
    assert "30" in staff.get(page).content.decode()
    too_short = staff.post(page, {**limits, "keep_payload_days": 60, "keep_failure_days": 30})
    assert "Failures must be kept at least as long as their payloads." in too_short.content.decode()
    assert staff.post(page, {**limits, "keep_payload_days": 0, "keep_failure_days": 30}).status_code == 200
    assert staff.post(page, {**limits, "keep_payload_days": 7, "keep_failure_days": 30}).status_code == 302
    with hotel_context(hotel):
        settings = FailureSettings.objects.get()
        assert (settings.keep_payload_days, settings.keep_failure_days) == (7, 30)


def test_hotel_cannot_read_or_change_the_settings_of_another_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    with hotel_context(hotel):
        change_settings(keep_payload_days=5)
    with hotel_context(other_hotel), connection.cursor() as cursor:
        assert FailureSettings.objects.read().keep_payload_days == 30
        cursor.execute("UPDATE public.dlq_failuresettings SET keep_payload_days = 1")
        assert cursor.rowcount == 0

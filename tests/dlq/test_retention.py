"""Tests of the daily clean-up of failures: lost retries, personal data of closed failures, and old failures."""

from datetime import timedelta

import pytest

from dlq import services, tasks
from dlq.models import Attempt, Failure, FailureGroup
from dlq.retries import attempts, retention, runner
from hotelagent.core.ids import first_uuid7_at
from tenants.context import platform_context
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
    FailureGroup.objects.update(created_at=moment)
    return Failure.objects.get(id=old_id)


def test_clean_up_deletes_personal_data_after_30_days_and_failures_after_180_days(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    open_failure = capture_failure(room="open")
    recent, old, oldest = closed_failure(29), closed_failure(31), closed_failure(181)
    tasks.clean_up([str(in_hotel.id)])
    assert set(Failure.objects.values_list("id", flat=True)) == {open_failure.id, recent.id, old.id}
    assert reload(recent).payload == {"lamp": 1, "room": "29"}
    assert (reload(old).payload, reload(old).error_message, reload(old).discard_reason) == ({}, "", "")
    assert [attempt.error_message for attempt in old.attempts.all()] == [""]
    assert not Attempt.objects.filter(failure_id=oldest.id).exists()


def test_clean_up_deletes_groups_without_failures(in_hotel: Hotel, lamp: Lamp) -> None:
    closed_failure(181)
    retention.clean_up()
    assert not FailureGroup.objects.exists()


@pytest.mark.parametrize("is_claimed", [False, True], ids=["scheduled", "retrying"])
def test_failure_whose_due_item_was_discarded_waits_for_a_person(
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

"""Tests of automatic retries of failures, and of the operations retry and discard of staff and API clients."""

import time
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import F

from audit.reading.search import timeline
from dlq import services, tasks
from dlq.errors import FailureNotFound, FailureNotRetryable, FailureStateError, NonRetryableError
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import AttemptOutcome, Failure
from dlq.retries import attempts, runner
from hotelagent.core.ids import uuid7
from tenants.context import Actor, actor_context, platform_context
from tenants.database.clock import database_now
from tenants.errors import TooManyDeliveries
from tenants.models import DueItem, Hotel
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure, make_due, reload

pytestmark = pytest.mark.django_db


def retry_now(failure: Failure) -> Failure:
    """Make the failure due, retry it, and return the failure as it is stored afterwards."""
    make_due(failure)
    runner.retry_due(failure_id=failure.id)
    return reload(failure)


def due_items(failure: Failure) -> list[DueItem]:
    with platform_context():
        return list(DueItem.objects.filter(item_id=failure.id))


def test_successful_retry_resolves_the_failure(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = retry_now(capture_failure(room="12"))
    assert lamp.retried == [{"lamp": 1, "room": "12"}]
    assert (failure.status, failure.retries) == ("resolved", 1)
    assert [attempt.outcome for attempt in failure.attempts.all()] == [
        AttemptOutcome.FAILED,
        AttemptOutcome.SUCCEEDED,
    ]
    assert due_items(failure) == []


def test_failed_retry_is_recorded_and_schedules_the_next_retry(in_hotel: Hotel, lamp: Lamp) -> None:
    lamp.fail("still no current")
    failure = retry_now(capture_failure())
    assert (failure.status, failure.retries, failure.error_message) == ("scheduled", 1, "still no current")
    first, second = failure.attempts.all()
    assert (first.error_message, second.error_message) == ("no current", "still no current")
    assert second.outcome == AttemptOutcome.FAILED
    assert second.ended_at is not None
    [item] = due_items(failure)
    assert item.due_at == failure.next_retry_at


def test_third_failed_retry_makes_the_failure_permanent(in_hotel: Hotel, lamp: Lamp) -> None:
    lamp.fail()
    failure = capture_failure()
    statuses = [retry_now(failure).status for _ in range(3)]
    assert statuses == ["scheduled", "scheduled", "permanent"]
    assert len(lamp.retried) == 3
    assert reload(failure).attempts.count() == 4
    assert due_items(failure) == []


def test_each_failed_retry_doubles_the_delay_until_the_next_retry(in_hotel: Hotel, lamp: Lamp) -> None:
    lamp.fail()
    failure = capture_failure()
    for seconds in (120, 240):
        now = database_now()
        next_retry_at = retry_now(failure).next_retry_at
        assert next_retry_at is not None
        assert 0.9 * seconds <= (next_retry_at - now).total_seconds() <= 1.1 * seconds + 5


def test_task_that_retries_due_failures_skips_a_failure_before_its_next_retry_time(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = capture_failure()
    runner.retry_due(failure_id=failure.id)
    assert lamp.retried == []
    assert reload(failure).status == "scheduled"


@pytest.mark.parametrize("status", ["retrying", "resolved", "permanent", "discarded"])
def test_task_that_retries_due_failures_skips_a_failure_that_is_not_scheduled(
    in_hotel: Hotel, lamp: Lamp, status: str
) -> None:
    failure = capture_failure()
    make_due(failure)
    Failure.objects.filter(id=failure.id).update(
        status=status, claimed_until=F("created_at") + timedelta(hours=1)
    )
    runner.retry_due(failure_id=failure.id)
    assert lamp.retried == []
    assert reload(failure).status == status


def test_task_that_retries_due_failures_does_nothing_for_an_unknown_failure_id(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    runner.retry_due(failure_id=uuid7())


def test_non_retryable_error_makes_the_failure_permanent(in_hotel: Hotel, lamp: Lamp) -> None:
    def reject(_failure: Failure) -> None:
        raise NonRetryableError from LampError("550 no such lamp")

    lamp.behaviour = reject
    failure = retry_now(capture_failure())
    assert (failure.status, failure.error_message) == ("permanent", "550 no such lamp")


def test_expired_failure_becomes_permanent_without_a_retry(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure()
    Failure.objects.filter(id=failure.id).update(expires_at=F("created_at") - timedelta(seconds=1))
    assert retry_now(failure).status == "permanent"
    assert lamp.retried == []
    assert timeline(kind="failure", identifier=failure.id)[0].event == "failure.expired"


def test_failure_is_retried_again_after_the_claim_of_a_killed_worker_expires(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = capture_failure()
    make_due(failure)
    assert attempts.claim(failure_id=failure.id) is not None  # the worker is killed after the claim
    [item] = due_items(failure)
    assert item.due_at == reload(failure).claimed_until
    Failure.objects.filter(id=failure.id).update(claimed_until=F("created_at") - timedelta(seconds=1))
    runner.retry_due(failure_id=failure.id)
    failure = reload(failure)
    assert failure.status == "scheduled"
    assert [attempt.outcome for attempt in failure.attempts.all()] == [
        AttemptOutcome.FAILED,
        AttemptOutcome.LOST,
    ]
    assert retry_now(failure).status == "resolved"


def test_failure_becomes_permanent_after_three_workers_were_killed_while_retrying_it(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = capture_failure()
    for _ in range(3):
        make_due(failure)
        assert attempts.claim(failure_id=failure.id) is not None
        Failure.objects.filter(id=failure.id).update(claimed_until=F("created_at") - timedelta(seconds=1))
        runner.retry_due(failure_id=failure.id)
    assert reload(failure).status == "permanent"


def lose_attempt(failure: Failure) -> int:
    """Claim the failure, let the lease of the attempt expire, and return the number of the attempt."""
    make_due(failure)
    claimed = attempts.claim(failure_id=failure.id)
    assert claimed is not None
    Failure.objects.filter(id=failure.id).update(claimed_until=F("created_at") - timedelta(seconds=1))
    runner.retry_due(failure_id=failure.id)
    return claimed.attempt


def test_success_reported_after_the_end_of_the_lease_resolves_the_failure(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = capture_failure()
    number = lose_attempt(failure)
    assert attempts.record_success(failure_id=failure.id, number=number)
    assert reload(failure).status == "resolved"
    assert due_items(failure) == []
    assert lamp.retried == []
    assert not attempts.record_failure(failure_id=failure.id, number=number, error=LampError())


def test_late_success_resolves_the_failure_even_if_the_next_attempt_fails(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = capture_failure()
    number = lose_attempt(failure)
    make_due(failure)
    assert attempts.claim(failure_id=failure.id)
    assert attempts.record_success(failure_id=failure.id, number=number)
    assert reload(failure).status == "retrying"
    assert attempts.record_failure(failure_id=failure.id, number=number + 1, error=LampError())
    assert reload(failure).status == "resolved"


def test_error_reported_after_the_end_of_the_lease_is_stored(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure()
    number = lose_attempt(failure)
    assert attempts.record_failure(failure_id=failure.id, number=number, error=LampError("late"))
    assert reload(failure).status == "scheduled"
    assert failure.attempts.get(number=number).error_message == "late"


def test_lost_attempt_of_non_idempotent_work_puts_the_failure_in_doubt(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._kinds, NAME, Kind(name=NAME, handler=lamp.handle, is_idempotent=False))
    failure = capture_failure()
    number = lose_attempt(failure)
    assert reload(failure).status == "in_doubt"
    assert due_items(failure) == []
    attempts.record_success(failure_id=failure.id, number=number)
    assert reload(failure).status == "resolved"


def test_task_that_killed_its_workers_is_not_retried_automatically(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure()
    make_due(failure)
    claimed = attempts.claim(failure_id=failure.id)
    assert claimed is not None
    error = TooManyDeliveries("tests.lamp was delivered 5 times.")
    attempts.record_failure(failure_id=failure.id, number=claimed.attempt, error=error)
    assert reload(failure).status == "permanent"


def test_task_that_retries_due_failures_sends_another_task_at_its_time_limit(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(tasks.retry_due, "try_delay", sent.append)
    monkeypatch.setattr(tasks, "BATCH_SECONDS", 0.05)
    lamp.behaviour = lambda _failure: time.sleep(0.1)
    failures = [capture_failure(room=room) for room in ("1", "2")]
    for failure in failures:
        make_due(failure)
    tasks.retry_due([str(failure.id) for failure in failures])
    assert [reload(failure).status for failure in failures] == ["resolved", "scheduled"]
    assert sent == [[str(failures[1].id)]]


def test_retry_that_exceeds_the_soft_time_limit_counts_as_failed(in_hotel: Hotel, lamp: Lamp) -> None:
    def exceed_time_limit(_failure: Failure) -> None:
        raise SoftTimeLimitExceeded

    lamp.behaviour = exceed_time_limit
    failure = capture_failure()
    make_due(failure)
    with pytest.raises(SoftTimeLimitExceeded):
        runner.retry_due(failure_id=failure.id)
    assert reload(failure).status == "scheduled"


def test_permanent_failure_that_staff_retry_is_scheduled_immediately(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure(retry=False)
    services.retry(failure_id=failure.id)
    assert reload(failure).status == "scheduled"
    [item] = due_items(failure)
    assert item.due_at <= database_now()
    runner.retry_due(failure_id=failure.id)
    assert reload(failure).status == "resolved"


def test_failed_retry_of_a_permanent_failure_makes_it_permanent_again(in_hotel: Hotel, lamp: Lamp) -> None:
    lamp.fail()
    failure = capture_failure()
    for _ in range(3):
        retry_now(failure)
    services.retry(failure_id=failure.id)
    runner.retry_due(failure_id=failure.id)
    failure = reload(failure)
    assert (failure.status, failure.retries) == ("permanent", 4)


@pytest.mark.parametrize("status", ["retrying", "resolved", "discarded"])
def test_retry_and_discard_of_a_closed_failure_raise_failure_state_error(
    in_hotel: Hotel, lamp: Lamp, status: str
) -> None:
    failure = capture_failure()
    Failure.objects.filter(id=failure.id).update(status=status)
    with pytest.raises(FailureStateError) as error:
        services.retry(failure_id=failure.id)
    assert error.value.extra == {"state": status}
    with pytest.raises(FailureStateError):
        services.discard(failure_id=failure.id, reason="a test")
    assert reload(failure).status == status


def test_retry_of_a_failure_without_a_retry_handler_raises_failure_not_retryable(in_hotel: Hotel) -> None:
    with pytest.raises(FailureNotRetryable):
        services.retry(failure_id=capture_failure().id)


def test_retry_with_an_unknown_id_raises_failure_not_found(in_hotel: Hotel) -> None:
    with pytest.raises(FailureNotFound):
        services.retry(failure_id=uuid7())


def test_discard_keeps_the_failure_and_stores_the_reason(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure()
    services.discard(failure_id=failure.id, reason="the guest called")
    failure = reload(failure)
    assert (failure.status, failure.discard_reason) == ("discarded", "the guest called")
    assert due_items(failure) == []


def test_retries_and_their_results_are_recorded_in_the_audit_trail(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure(retry=False)
    services.retry(failure_id=failure.id)
    lamp.fail()
    runner.retry_due(failure_id=failure.id)
    lamp.behaviour = lambda _failure: None
    retry_now(failure)
    recorded = [event.event for event in timeline(kind="failure", identifier=failure.id)]
    assert recorded == [
        "failure.resolved",
        "failure.retry_failed",
        "failure.retry_requested",
        "failure.captured",
    ]


def test_due_item_of_a_retry_stores_the_person_who_requested_the_retry(in_hotel: Hotel, lamp: Lamp) -> None:
    ana = Actor("user", "0198c0de-0000-7000-8000-000000000001", "ana")
    automatic = capture_failure()
    assert [item.initiator for item in due_items(automatic)] == [None]
    failure = capture_failure(retry=False, work_key="second")
    with actor_context(ana):
        services.retry(failure_id=failure.id)
    assert [item.initiator for item in due_items(failure)] == [f"user:{ana.id}"]
    assert attempts.claim(failure_id=failure.id)
    assert [item.initiator for item in due_items(failure)] == [f"user:{ana.id}"]

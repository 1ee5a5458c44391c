"""Tests that a failed Celery task is captured in the dead-letter queue, and that a retry sends the task again."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import shared_task
from celery.contrib.testing.worker import start_worker

from dlq import services, tasks
from dlq.models import AttemptOutcome, Failure
from dlq.retries import runner
from hotelagent.celery import app
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tenants.queue.celery_task import HotelTask
from tests.dlq.conftest import Lamp, LampError, capture_failure, failing_task, make_due, reload
from tests.dlq.workers import wait_for


@shared_task(name="tests.dlq.foreign")
def foreign_task() -> None:
    raise LampError


@shared_task(base=HotelTask, name="tests.dlq.retries_itself", bind=True, max_retries=1, default_retry_delay=0)
def self_retrying_task(self: Any) -> None:
    raise self.retry(exc=LampError("twice"))


def only_failure() -> Failure:
    failure: Failure = Failure.objects.with_traceback().get(is_task=True)
    return failure


def retried_failure(name: str, *args: object) -> Failure:
    """Capture a failure of the Celery task, retry the failure, and return it."""
    payload = {"args": list(args), "kwargs": {}}
    captured = services.capture(is_task=True, source="tests", name=name, payload=payload, error=LampError())
    failure = Failure.objects.get(id=captured.id)
    make_due(failure)
    runner.retry_due(failure_id=failure.id)
    return failure


@pytest.mark.django_db
def test_failed_task_is_captured_with_its_arguments(in_hotel: Hotel, eager: None) -> None:
    failing_task.delay(-7, colour="green")
    failure = only_failure()
    assert (failure.name, failure.payload) == (
        "tests.dlq.task",
        {"args": [-7], "kwargs": {"colour": "green"}},
    )
    assert failure.error_message == "green lamp -7 is broken"
    assert failure.status == "scheduled"
    assert "failing_task" in getattr(failure, "traceback")  # noqa: B009 - an annotation of the queryset


@pytest.mark.django_db
def test_successful_task_is_not_captured(in_hotel: Hotel, eager: None) -> None:
    failing_task.delay(7)
    assert not Failure.objects.exists()


@pytest.mark.django_db
def test_task_with_celery_retries_is_captured_after_the_last_retry_failed(
    in_hotel: Hotel, eager: None
) -> None:
    self_retrying_task.delay()
    assert only_failure().occurrences == 1


@pytest.mark.django_db
def test_failed_task_that_is_not_a_hotel_task_is_not_captured(in_hotel: Hotel, eager: None) -> None:
    foreign_task.delay()
    assert not Failure.objects.exists()


@pytest.mark.django_db
def test_failed_task_of_a_hotel_is_captured_in_the_hotel(
    hotel: Hotel, other_hotel: Hotel, eager: None
) -> None:
    with hotel_context(hotel):
        failing_task.delay(-1)
        assert Failure.objects.count() == 1
    for other_context in (hotel_context(other_hotel), platform_context()):
        with other_context:
            assert not Failure.objects.exists()


@pytest.mark.django_db
def test_failed_task_of_the_platform_is_captured_as_a_platform_failure(platform: None, eager: None) -> None:
    failing_task.delay(-1)
    assert only_failure().status == "scheduled"


@pytest.mark.django_db
def test_failed_retry_of_a_task_is_stored_as_a_second_attempt(in_hotel: Hotel, eager: None) -> None:
    failing_task.delay(-1)
    failure = only_failure()
    make_due(failure)
    tasks.retry_due.delay([str(failure.id)])
    failure = only_failure()
    assert (failure.status, failure.retries, failure.occurrences) == ("scheduled", 1, 1)
    assert [attempt.outcome for attempt in failure.attempts.all()] == [
        AttemptOutcome.FAILED,
        AttemptOutcome.FAILED,
    ]


@pytest.mark.django_db
def test_successful_retry_of_a_task_resolves_the_failure(in_hotel: Hotel, eager: None) -> None:
    failing_task.delay(-1)
    failure = only_failure()
    Failure.objects.filter(id=failure.id).update(payload={"args": [1], "kwargs": {}})
    make_due(failure)
    tasks.retry_due.delay([str(failure.id)])
    assert only_failure().status == "resolved"


@pytest.mark.django_db
def test_retried_task_has_headers_with_the_failure_and_the_attempt(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(failing_task, "apply_async", lambda **message: sent.append(message))
    failure = retried_failure(failing_task.name, -1)
    assert reload(failure).status == "retrying"
    [message] = sent
    assert message["args"] == [-1]
    assert message["headers"] == {
        "dlq_failure": str(failure.id),
        "dlq_attempt": "1",
        "work": str(failure.id),
    }


@pytest.mark.django_db
def test_retry_of_a_task_while_the_broker_is_unavailable_counts_as_failed(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(**_message: Any) -> None:
        raise ConnectionError("the broker is unavailable")

    monkeypatch.setattr(failing_task, "apply_async", unavailable)
    failure = retried_failure(failing_task.name, -1)
    assert (reload(failure).status, reload(failure).error_message) == (
        "scheduled",
        "the broker is unavailable",
    )


@pytest.mark.django_db
def test_retry_of_an_unregistered_task_is_postponed_until_a_deployment(in_hotel: Hotel) -> None:
    failure = reload(retried_failure("unregistered.task"))
    assert (failure.status, failure.retries) == ("scheduled", 0)
    assert failure.next_retry_at is not None
    assert 290 < (failure.next_retry_at - failure.last_seen_at).total_seconds() < 310


@pytest.mark.django_db
def test_task_for_the_platform_retries_only_due_failures_of_the_platform(platform: None, lamp: Lamp) -> None:
    failure, later = capture_failure(room="1"), capture_failure(room="2")
    make_due(failure)
    tasks.retry_platform_due()
    assert reload(failure).status == "resolved"
    assert reload(later).status == "scheduled"


@pytest.mark.django_db
def test_task_that_retries_due_failures_continues_after_a_failed_retry(in_hotel: Hotel, lamp: Lamp) -> None:
    first, second = capture_failure(room="1"), capture_failure(room="2")

    def fail_for_the_first(failure: Failure) -> None:
        if failure.id == first.id:
            raise LampError

    lamp.behaviour = fail_for_the_first
    make_due(first)
    make_due(second)
    tasks.retry_due([str(first.id), str(second.id)])
    assert (reload(first).status, reload(second).status) == ("scheduled", "resolved")


@pytest.fixture
def worker(transactional_db: None, redis_url: str, unpersistent_connections: None) -> Iterator[None]:
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="WARNING"):
        yield


@pytest.mark.django_db(transaction=True)
def test_failed_task_is_captured_and_retried_by_a_real_worker(hotel: Hotel, worker: None) -> None:
    with hotel_context(hotel):
        failing_task.delay(-3)
        failure = wait_for(lambda: Failure.objects.filter(is_task=True).first())
        services.retry(failure_id=failure.id)
        tasks.retry_due.delay([str(failure.id)])
        retried = wait_for(
            lambda: Failure.objects.filter(id=failure.id, retries=1, status="scheduled").first()
        )
        assert retried.occurrences == 1

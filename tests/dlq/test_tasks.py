"""Any task of ours that gives up lands here by itself, and "send again" puts it back into its queue."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import shared_task
from celery.contrib.testing.worker import start_worker

from dlq import attempts, services, tasks
from dlq.models import Failure, Outcome
from hotelagent.celery import app
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tenants.queue.celery_task import HotelTask
from tests.dlq.conftest import Broken, Lamp, captured, fragile, make_due, reread


@shared_task(name="tests.dlq.foreign")
def foreign() -> None:
    raise Broken


@shared_task(base=HotelTask, name="tests.dlq.retries_itself", bind=True, max_retries=1, default_retry_delay=0)
def retries_itself(self: Any) -> None:
    raise self.retry(exc=Broken("twice"))


def _only() -> Failure:
    return Failure.objects.get(kind="task")


def _retried(name: str, *args: object) -> Failure:
    """The failure of a task, when it was due and has been tried again."""
    payload = {"args": list(args), "kwargs": {}}
    failure = services.capture(kind="task", source="tests", name=name, payload=payload, error=Broken())
    make_due(failure)
    attempts.retry_due(failure_id=failure.id)
    return failure


@pytest.mark.django_db
def test_a_task_that_fails_is_kept_with_its_arguments(in_hotel: Hotel, eager: None) -> None:
    fragile.delay(-7, colour="green")
    failure = _only()
    assert (failure.name, failure.payload) == (
        "tests.dlq.task",
        {"args": [-7], "kwargs": {"colour": "green"}},
    )
    assert failure.error_message == "green lamp -7 is broken"
    assert failure.status == "scheduled"
    assert "fragile" in failure.traceback


@pytest.mark.django_db
def test_a_task_that_works_leaves_nothing(in_hotel: Hotel, eager: None) -> None:
    fragile.delay(7)
    assert not Failure.objects.exists()


@pytest.mark.django_db
def test_a_task_that_retries_itself_arrives_when_it_gives_up_and_not_before(
    in_hotel: Hotel, eager: None
) -> None:
    retries_itself.delay()
    assert _only().occurrences == 1


@pytest.mark.django_db
def test_a_task_that_is_not_ours_is_not_kept(in_hotel: Hotel, eager: None) -> None:
    foreign.delay()
    assert not Failure.objects.exists()


@pytest.mark.django_db
def test_a_task_s_failure_stands_with_the_hotel_it_ran_for(
    hotel: Hotel, other_hotel: Hotel, eager: None
) -> None:
    with hotel_context(hotel):
        fragile.delay(-1)
        assert Failure.objects.count() == 1
    for elsewhere in (hotel_context(other_hotel), platform_context()):
        with elsewhere:
            assert not Failure.objects.exists()


@pytest.mark.django_db
def test_the_platform_s_task_fails_to_the_platform(platform: None, eager: None) -> None:
    fragile.delay(-1)
    assert _only().status == "scheduled"


@pytest.mark.django_db
def test_sent_again_and_failed_again_is_an_attempt_of_the_same_failure(in_hotel: Hotel, eager: None) -> None:
    fragile.delay(-1)
    failure = _only()
    make_due(failure)
    tasks.retry_due.delay([str(failure.id)])
    failure = _only()
    assert (failure.status, failure.attempts, failure.occurrences) == ("scheduled", 1, 1)
    assert [attempt.outcome for attempt in failure.tries.all()] == [Outcome.FAILED, Outcome.FAILED]


@pytest.mark.django_db
def test_sent_again_and_done_resolves_it(in_hotel: Hotel, eager: None) -> None:
    fragile.delay(-1)
    failure = _only()
    Failure.objects.filter(id=failure.id).update(payload={"args": [1], "kwargs": {}})
    make_due(failure)
    tasks.retry_due.delay([str(failure.id)])
    assert _only().status == "resolved"


@pytest.mark.django_db
def test_a_task_that_is_in_its_queue_again_is_being_retried(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(fragile, "apply_async", lambda **message: sent.append(message))
    failure = _retried(fragile.name, -1)
    assert reread(failure).status == "retrying"
    [message] = sent
    assert message["args"] == [-1]
    assert message["headers"] == {"dlq_failure": str(failure.id), "dlq_attempt": "1"}


@pytest.mark.django_db
def test_a_broker_that_is_away_is_a_failed_attempt(in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_message: Any) -> None:
        raise ConnectionError("the broker is away")

    monkeypatch.setattr(fragile, "apply_async", away)
    failure = _retried(fragile.name, -1)
    assert (reread(failure).status, reread(failure).error_message) == ("scheduled", "the broker is away")


@pytest.mark.django_db
def test_a_task_that_no_longer_exists_says_so(in_hotel: Hotel) -> None:
    failure = _retried("long.gone")
    assert "NotRegistered" in reread(failure).error_type


@pytest.mark.django_db
def test_the_platform_s_own_failures_are_found_without_the_due_queue(platform: None, lamp: Lamp) -> None:
    failure, later = captured(room="1"), captured(room="2")
    make_due(failure)
    tasks.retry_platform_due()
    assert reread(failure).status == "resolved"
    assert reread(later).status == "scheduled"


@pytest.mark.django_db
def test_one_that_fails_does_not_keep_the_next_of_a_batch_waiting(in_hotel: Hotel, lamp: Lamp) -> None:
    first, second = captured(room="1"), captured(room="2")

    def first_breaks(failure: Failure) -> None:
        if failure.id == first.id:
            raise Broken

    lamp.behave = first_breaks
    make_due(first)
    make_due(second)
    tasks.retry_due([str(first.id), str(second.id)])
    assert (reread(first).status, reread(second).status) == ("scheduled", "resolved")


@pytest.fixture
def worker(transactional_db: None, redis_url: str, unkept_connections: None) -> Iterator[None]:
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="WARNING"):
        yield


@pytest.mark.django_db(transaction=True)
def test_it_is_so_with_a_real_worker_and_broker(hotel: Hotel, worker: None) -> None:
    with hotel_context(hotel):
        fragile.delay(-3)
        failure = _wait_for(lambda: Failure.objects.filter(kind="task").first())
        services.retry(failure_id=failure.id)
        tasks.retry_due.delay([str(failure.id)])
        again = _wait_for(
            lambda: Failure.objects.filter(id=failure.id, attempts=1, status="scheduled").first()
        )
        assert again.occurrences == 1


def _wait_for(look: Any, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    return pytest.fail("It did not happen.")

"""Tests, with a real worker, that the time limit of one kind of failure ends only the retries of this kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery.app.task import Context
from celery.exceptions import TimeLimitExceeded

from dlq import services, tasks
from dlq.capture.celery_messages import capture_failed_task
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure
from dlq.retries import attempts, runner
from tenants.context import current_tenant, hotel_context
from tenants.models import Hotel
from tenants.queue.celery_task import HOTEL_HEADER
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure, failing_task, make_due, reload
from tests.dlq.workers import prefork_worker, runs, wait_for

NAMES = ("tests.dlq.slow", "tests.dlq.stubborn", "tests.dlq.quick")


def capture_due(name: str, *, is_task: bool = False, payload: Any = None) -> Failure:
    captured = services.capture(
        is_task=is_task, source="tests", name=name, payload=payload or {}, error=LampError()
    )
    failure = Failure.objects.get(id=captured.id)
    make_due(failure)
    return failure


@contextmanager
def killed_message(*args: Any) -> Iterator[Any]:
    """Simulate that Celery has killed a retry at its hard time limit, and yield the Celery task of the retry.

    At this limit, Celery kills the child process, and calls the failure handler of the request in the parent process.
    """
    task: Any = tasks.retry_within_time_limit
    headers = {HOTEL_HEADER: str(current_tenant().id)}
    task.request_stack.push(Context({"id": "1", "args": list(args), "kwargs": {}, **headers}))
    try:
        yield task
    finally:
        task.request_stack.pop()


@pytest.mark.django_db(transaction=True)
def test_time_limit_of_a_kind_of_failure_ends_only_retries_of_this_kind(hotel: Hotel) -> None:
    with hotel_context(hotel):
        ids = [str(capture_due(name).id) for name in NAMES]
        tasks.retry_due.delay(ids)
        with prefork_worker():
            wait_for(lambda: not Failure.objects.filter(attempts__number=1, attempts__ended_at=None).exists())
            slow, stubborn, quick = (wait_for(Failure.objects.filter(name=n, retries=1).first) for n in NAMES)
            wait_for(lambda: Failure.objects.filter(status="in_doubt").exists())
        stubborn.refresh_from_db()
        slow.refresh_from_db()
        assert sorted(runs()) == sorted(NAMES)
        assert (slow.status, slow.error_type) == (
            "scheduled",
            "billiard.exceptions.SoftTimeLimitExceeded",
        )
        assert (stubborn.status, quick.status) == ("in_doubt", "resolved")
        assert "time limit" in stubborn.error_message


@pytest.mark.django_db
def test_celery_task_is_retried_with_the_time_limit_of_its_kind_of_failure(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(failing_task, "apply_async", lambda **message: sent.append(message))
    name = failing_task.name
    monkeypatch.setitem(registry._kinds, name, Kind(name=name, time_limit=30))
    failure = capture_due(name, is_task=True, payload={"args": [-1], "kwargs": {}})
    runner.retry_due(failure_id=failure.id)
    assert [(message["soft_time_limit"], message["time_limit"]) for message in sent] == [
        (30, 30 + runner.KILL_DELAY)
    ]


@pytest.mark.django_db
def test_late_kill_of_a_process_does_not_end_the_next_attempt(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure()
    make_due(failure)
    claimed = attempts.claim(failure_id=failure.id)
    assert claimed
    attempts.record_failure(failure_id=failure.id, number=claimed.attempt, error=LampError())
    make_due(failure)
    later = attempts.claim(failure_id=failure.id)  # another worker claims the failure
    assert later
    with killed_message(str(failure.id), claimed.attempt) as task:
        capture_failed_task(task=task, error=TimeLimitExceeded(1))
    assert (reload(failure).status, reload(failure).attempt) == ("retrying", later.attempt)
    with killed_message(str(failure.id), later.attempt) as task:
        capture_failed_task(task=task, error=TimeLimitExceeded(1))
    assert (reload(failure).status, failure.attempts.get(number=2).outcome) == ("scheduled", "lost")


@pytest.mark.django_db
def test_repeated_message_for_an_attempt_starts_no_second_attempt(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._kinds, NAME, Kind(name=NAME, handler=lamp.handle, time_limit=30))
    lamp.fail()
    failure = capture_failure()
    for _ in range(2):
        make_due(failure)
        tasks.retry_within_time_limit(str(failure.id), 1)
    assert (len(lamp.retried), reload(failure).attempt) == (1, 1)

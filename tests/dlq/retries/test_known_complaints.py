"""Tests of situations that users of other queues complain about. dlq/README.md lists the complaints and the tests."""

import json
import os
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from dlq import services, tasks
from dlq.capture_request import UNKNOWN_ORIGIN, capture_request
from dlq.kinds import registry
from dlq.models import Failure
from dlq.policy import FAILURE_DUE
from dlq.retries import attempts, runner, schedule
from hotelagent.celery import app
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure, make_due, reload
from tests.dlq.forks import run_in_fork

UNRETRYABLE = 10_000
MANY = 10_001


def expire_lease(failure: Failure) -> None:
    Failure.objects.filter(id=failure.id).update(claimed_until=F("created_at") - timedelta(seconds=1))


def capture_unretryable(count: int) -> None:
    """Store `count` due failures of a task that no worker knows.

    To save time, the function captures only one failure and copies its row.
    """
    payload = {"args": [1], "kwargs": {}}
    services.capture(is_task=True, source="tests", name="tests.removed", payload=payload, error=LampError())
    Failure.objects.update(next_retry_at=F("created_at") - timedelta(minutes=1))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dlq_failure SELECT copy.* FROM dlq_failure AS failure, generate_series(2, %s) AS number, "
            "jsonb_populate_record(failure, jsonb_build_object('id', tenants_uuid7(), 'work_key', number)) AS copy",
            [count],
        )
    schedule.schedule_checks(
        list(Failure.objects.values_list("id", flat=True)), Failure.objects.all()[0].created_at
    )


@pytest.mark.django_db
def test_attempt_of_a_restarted_worker_is_lost_when_its_lease_ends(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure()
    make_due(failure)
    assert attempts.claim(failure_id=failure.id)
    failure.attempts.filter(number=1).update(worker="celery@desk")  # as if the worker died and started again
    other = capture_failure(room="2")
    make_due(other)
    runner.retry_due(failure_id=other.id)
    other.attempts.filter(number=1).update(worker="celery@desk")
    runner.retry_due(failure_id=failure.id)
    assert reload(failure).status == "retrying"
    expire_lease(failure)
    runner.retry_due(failure_id=failure.id)
    assert (reload(failure).status, failure.attempts.get(number=1).outcome) == ("scheduled", "lost")


@pytest.mark.django_db
def test_slow_worker_keeps_its_failure_only_while_it_extends_its_lease(in_hotel: Hotel, lamp: Lamp) -> None:
    """A handler that extends its lease keeps its failure.

    If a handler does not extend its lease, its result is rejected.
    """

    def extend(failure: Failure) -> None:
        expire_lease(failure)
        assert attempts.extend(failure_id=failure.id, number=failure.attempt, lease=timedelta(seconds=60))
        runner.retry_due(failure_id=failure.id)

    lamp.behaviour = extend
    failure = capture_failure()
    make_due(failure)
    runner.retry_due(failure_id=failure.id)
    assert (reload(failure).status, len(lamp.retried)) == ("resolved", 1)

    slow = capture_failure(room="2")
    make_due(slow)
    assert attempts.claim(failure_id=slow.id)
    expire_lease(slow)
    runner.retry_due(failure_id=slow.id)
    make_due(slow)
    assert attempts.claim(failure_id=slow.id)
    assert attempts.record_failure(failure_id=slow.id, number=1, error=LampError("slow"))
    assert (reload(slow).status, reload(slow).attempt) == ("retrying", 2)


@pytest.mark.django_db
def test_platform_failure_is_retried_despite_10_000_older_unretryable_failures(
    platform: None, lamp: Lamp
) -> None:
    """The test also checks that 10,000 other failures became due before the failure that can be retried."""
    capture_unretryable(UNRETRYABLE)
    good = capture_failure()
    make_due(good)
    due = Failure.objects.filter(status="scheduled").order_by("next_retry_at", "id")
    assert good.id not in list(due.values_list("id", flat=True)[:UNRETRYABLE])
    tasks.retry_platform_due()
    assert reload(good).status == "resolved"
    # No failure was dropped.
    assert Failure.objects.filter(status="scheduled", retries=0).count() == UNRETRYABLE


@pytest.mark.django_db
def test_unretryable_platform_failure_is_retried_when_its_task_is_deployed(
    platform: None, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture_unretryable(1)
    tasks.retry_platform_due()
    assert Failure.objects.get().attempt == 0
    monkeypatch.setitem(
        registry._kinds, "tests.removed", registry.Kind(name="tests.removed", handler=lamp.handle)
    )
    tasks.retry_platform_due()
    assert Failure.objects.get().status == "resolved"


@pytest.mark.django_db
def test_unretryable_platform_failure_becomes_permanent_when_it_expires(platform: None, lamp: Lamp) -> None:
    capture_unretryable(1)
    Failure.objects.update(expires_at=F("created_at") - timedelta(days=1))
    tasks.retry_platform_due()
    assert Failure.objects.get().status == "permanent"


@pytest.mark.django_db
def test_hotel_failure_is_retried_despite_10_000_older_unretryable_failures(hotel: Hotel, lamp: Lamp) -> None:
    """The dispatcher claims due failures in batches, until no due failure is left.

    As a negative control, the first batch does not contain the failure that can be retried.
    """
    with hotel_context(hotel):
        capture_unretryable(UNRETRYABLE)
        good = capture_failure()
        make_due(good)
        schedule.schedule_check(good.id, database_now())
    with platform_context():
        claims = [[id_ for batch in dispatch.claim() for id_ in batch.ids] for _ in range(4)]
    assert [len(ids) for ids in claims] == [dispatch.CLAIM_LIMIT, dispatch.CLAIM_LIMIT, 1, 0]
    assert claims[2] == [str(good.id)]
    with hotel_context(hotel):
        tasks.retry_due([*claims[0][:100], *claims[2]])
        assert reload(good).status == "resolved"
        assert (
            Failure.objects.filter(status="scheduled", retries=0).count() == UNRETRYABLE
        )  # none was dropped


@pytest.mark.django_db
def test_failures_of_a_long_outage_are_all_kept(in_hotel: Hotel, lamp: Lamp) -> None:
    """Other queues keep at most 10,000 dead jobs and drop the oldest. This test captures 10,001 failures."""
    request = capture_request(
        is_task=False, source="tests", name=NAME, payload={"lamp": 1}, error=LampError("no current"), retry=True,
        work_key="", ordering_key="", origin=UNKNOWN_ORIGIN,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(dlq_capture(%s::jsonb || jsonb_build_object('id', tenants_uuid7(), 'work_key', number))) "
            "FROM generate_series(1, %s) AS number",
            [json.dumps(request), MANY],
        )
    assert Failure.objects.filter(status="scheduled").count() == MANY
    with platform_context():
        assert DueItem.objects.filter(hotel=in_hotel, kind=FAILURE_DUE).count() == MANY


@pytest.mark.django_db(transaction=True)
def test_retry_handler_that_ends_its_process_is_stopped_after_three_retries(hotel: Hotel, lamp: Lamp) -> None:
    lamp.behaviour = lambda _failure: os._exit(3)
    with hotel_context(hotel):
        failure = capture_failure()
    for _ in range(3):
        with hotel_context(hotel):
            make_due(failure)
        run_in_fork(hotel, lambda: runner.retry_due(failure_id=failure.id))
        with hotel_context(hotel):
            assert reload(failure).status == "retrying"
            expire_lease(failure)
            runner.retry_due(failure_id=failure.id)
    with hotel_context(hotel):
        assert reload(failure).status == "permanent"
        assert [attempt.outcome for attempt in failure.attempts.all()] == ["failed", "lost", "lost", "lost"]


@pytest.mark.django_db
def test_all_attempts_of_a_failure_have_the_same_idempotency_key(
    in_hotel: Hotel, lamp: Lamp, eager: None
) -> None:
    keys: list[str] = []
    task: Any = app.tasks["tests.dlq.task"]
    original = task.run

    def note_key(number: int, *, colour: str = "red") -> None:
        keys.append(task.idempotency_key)
        original(number, colour=colour)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "run", note_key)
        task.delay(-1)
        failure = Failure.objects.get(name=task.name)
        for _ in range(2):
            make_due(failure)
            runner.retry_due(failure_id=failure.id)
    assert len(keys) == 3
    assert set(keys) == {failure.idempotency_key}

    lamp.behaviour = lambda failure: keys.append(failure.idempotency_key)
    message = capture_failure()
    make_due(message)
    runner.retry_due(failure_id=message.id)
    assert (keys[-1], message.name) == (str(message.id), NAME)

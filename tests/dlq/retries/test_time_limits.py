"""Tests, with a real worker, that the time limit of a kind ends retries of this kind and of no other kind."""

from typing import Any

import pytest

from dlq import services, tasks
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure
from dlq.retries import runner
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import LampError, failing_task, make_due
from tests.dlq.workers import prefork_worker, runs, wait_for

NAMES = ("tests.dlq.slow", "tests.dlq.stubborn", "tests.dlq.quick")


def capture_due(name: str, *, is_task: bool = False, payload: Any = None) -> Failure:
    captured = services.capture(
        is_task=is_task, source="tests", name=name, payload=payload or {}, error=LampError()
    )
    failure = Failure.objects.get(id=captured.id)
    make_due(failure)
    return failure


@pytest.mark.django_db(transaction=True)
def test_time_limit_of_a_kind_ends_its_retries_but_no_other_retries_of_the_batch(hotel: Hotel) -> None:
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
def test_time_limit_of_a_kind_limits_the_retries_of_its_celery_task(
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

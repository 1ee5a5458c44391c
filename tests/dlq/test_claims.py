"""Several workers and one failure, made to meet: a lock holds both at the claim, then lets them go."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from dlq import attempts, services
from dlq.errors import FailureStateError
from dlq.models import Failure, Outcome
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, captured, make_due, reread

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 4


def _together(hotel: Hotel, failure: Failure, *acts: Callable[[], Any]) -> list[Any]:
    """Run the acts on threads that all wait for the failure's row, then give it free; results or errors."""

    def run(act: Callable[[], Any]) -> Any:
        try:
            with hotel_context(hotel):
                return act()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        with hotel_context(hotel), transaction.atomic():
            Failure.objects.select_for_update().get(id=failure.id)
            futures = [pool.submit(run, act) for act in acts]
            _wait_until_blocked(len(acts))
        return [future.result() for future in futures]


def _wait_until_blocked(count: int) -> None:
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            # Of this worker's database: who waits for a row waits for a transaction, which belongs to none.
            # A transaction sees who was there when it first asked, until it clears that.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE NOT granted AND datname = current_database()"
            )
            if cursor.fetchone()[0] >= count:
                return
            time.sleep(0.02)
    pytest.fail("The workers never met at the row.")


def test_of_workers_at_the_same_moment_one_sends_it(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = captured()
        make_due(failure)
    act = lambda: attempts.retry_due(failure_id=failure.id)  # noqa: E731
    results = _together(hotel, failure, *[act] * WORKERS)
    assert results == [None] * WORKERS
    assert len(lamp.sent) == 1
    with hotel_context(hotel):
        assert (reread(failure).status, reread(failure).attempts) == ("resolved", 1)
        assert [attempt.outcome for attempt in failure.tries.all()] == [Outcome.FAILED, Outcome.SUCCEEDED]


def test_while_one_is_at_it_another_finds_nothing_to_do(hotel: Hotel, lamp: Lamp) -> None:
    begun, finish = threading.Event(), threading.Event()

    def slow(_failure: Failure) -> None:
        begun.set()
        assert finish.wait(20)

    lamp.behave = slow

    def work() -> None:
        try:
            with hotel_context(hotel):
                attempts.retry_due(failure_id=failure.id)
        finally:
            connection.close()

    with hotel_context(hotel):
        failure = captured()
        make_due(failure)
        worker = threading.Thread(target=work)
        worker.start()
        assert begun.wait(20)
        assert reread(failure).status == "retrying"
        attempts.retry_due(failure_id=failure.id)
        with pytest.raises(FailureStateError):
            services.discard(failure_id=failure.id, reason="a test")
        finish.set()
        worker.join(20)
        assert reread(failure).status == "resolved"
    assert len(lamp.sent) == 1


def test_of_a_retry_and_a_discard_at_the_same_moment_one_wins_and_the_other_is_told(
    hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        failure = captured(retry=False)
    results = _together(
        hotel,
        failure,
        lambda: services.retry(failure_id=failure.id),
        lambda: services.discard(failure_id=failure.id, reason="a test"),
    )
    refused = [type(result) for result in results if result is not None]
    assert refused == [FailureStateError]


def test_of_two_that_finish_the_same_attempt_one_does(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = captured()
        make_due(failure)
        claimed = attempts.claim(failure_id=failure.id)
        assert claimed is not None
    act = lambda: attempts.succeeded(failure_id=failure.id, number=claimed.attempts)  # noqa: E731
    assert sorted(_together(hotel, failure, act, act)) == [False, True]

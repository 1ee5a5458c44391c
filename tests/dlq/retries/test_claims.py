"""Tests of operations that are executed on one failure at the same time."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from dlq import services
from dlq.errors import FailureStateError
from dlq.models import AttemptOutcome, Failure
from dlq.retries import attempts, runner
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, capture_failure, make_due, reload

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 4


def run_concurrently(hotel: Hotel, failure: Failure, *operations: Callable[[], Any]) -> list[Any]:
    """Run the operations in threads at the same time, and return their results or errors.

    This function locks the row of the failure until all operations wait for the lock.
    """

    def run(operation: Callable[[], Any]) -> Any:
        try:
            with hotel_context(hotel):
                return operation()
        except Exception as error:  # noqa: BLE001 - the test checks the error
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(operations)) as pool:
        with hotel_context(hotel), transaction.atomic():
            Failure.objects.select_for_update().get(id=failure.id)
            futures = [pool.submit(run, operation) for operation in operations]
            wait_until_blocked(len(operations))
        return [future.result() for future in futures]


def wait_until_blocked(count: int) -> None:
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            # A process that waits for a row waits for a transaction id, which belongs to no database.
            # So the query filters by the database of the waiting process.
            # The statistics views return a snapshot until the snapshot is cleared.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE NOT granted AND datname = current_database()"
            )
            if cursor.fetchone()[0] >= count:
                return
            time.sleep(0.02)
    pytest.fail("The operations did not reach the lock.")


def test_failure_that_several_workers_retry_at_the_same_time_is_handled_once(
    hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        failure = capture_failure()
        make_due(failure)
    operation = lambda: runner.retry_due(failure_id=failure.id)  # noqa: E731
    results = run_concurrently(hotel, failure, *[operation] * WORKERS)
    assert results == [None] * WORKERS
    assert len(lamp.retried) == 1
    with hotel_context(hotel):
        assert (reload(failure).status, reload(failure).retries) == ("resolved", 1)
        assert [attempt.outcome for attempt in failure.attempts.all()] == [
            AttemptOutcome.FAILED,
            AttemptOutcome.SUCCEEDED,
        ]


def test_task_that_retries_due_failures_skips_a_failure_that_another_worker_retries(
    hotel: Hotel, lamp: Lamp
) -> None:
    started, finish = threading.Event(), threading.Event()

    def slow(_failure: Failure) -> None:
        started.set()
        assert finish.wait(20)

    lamp.behaviour = slow

    def retry() -> None:
        try:
            with hotel_context(hotel):
                runner.retry_due(failure_id=failure.id)
        finally:
            connection.close()

    with hotel_context(hotel):
        failure = capture_failure()
        make_due(failure)
        worker = threading.Thread(target=retry)
        worker.start()
        assert started.wait(20)
        assert reload(failure).status == "retrying"
        runner.retry_due(failure_id=failure.id)
        with pytest.raises(FailureStateError):
            services.discard(failure_id=failure.id, reason="a test")
        finish.set()
        worker.join(20)
        assert reload(failure).status == "resolved"
    assert len(lamp.retried) == 1


def test_concurrent_retry_and_discard_of_a_failure_do_not_both_succeed(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = capture_failure(retry=False)
    results = run_concurrently(
        hotel,
        failure,
        lambda: services.retry(failure_id=failure.id),
        lambda: services.discard(failure_id=failure.id, reason="a test"),
    )
    errors = [type(result) for result in results if result is not None]
    assert errors == [FailureStateError]


def test_result_reported_twice_at_the_same_time_is_recorded_once(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = capture_failure()
        make_due(failure)
        claimed = attempts.claim(failure_id=failure.id)
        assert claimed is not None
    operation = lambda: attempts.record_success(failure_id=failure.id, number=claimed.attempt)  # noqa: E731
    assert sorted(run_concurrently(hotel, failure, operation, operation)) == [False, True]


def test_concurrent_captures_of_the_same_work_create_one_open_failure(hotel: Hotel, lamp: Lamp) -> None:
    barrier = threading.Barrier(WORKERS)

    def capture() -> None:
        try:
            with hotel_context(hotel), transaction.atomic():
                barrier.wait(20)
                capture_failure()
                time.sleep(0.05)
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        for future in [pool.submit(capture) for _ in range(WORKERS)]:
            future.result()
    with hotel_context(hotel):
        assert Failure.objects.get().occurrences == WORKERS

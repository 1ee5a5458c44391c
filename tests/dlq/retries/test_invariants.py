"""The invariants of the dead-letter queue. Each test has a control: a weaker implementation that breaks the invariant.

Two invariants have their own modules: "a redrive job retries each failure once" (test_redrives_once.py) and "the
metrics equal a count over the tables" (test_metrics.py).
"""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from audit.reading.search import timeline
from audit.services import record
from dlq import events
from dlq.models import OPEN_STATUSES, Attempt, Failure
from dlq.retries import attempts, runner
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.database.connections import direct_connection
from tenants.models import Hotel
from tests.dlq.conftest import NAME, Lamp, capture_failure, make_due, reload
from tests.dlq.forks import kill_this_process, run_in_fork
from tests.dlq.worker_tasks import fail, fail_by_signal
from tests.dlq.workers import database_outage, messages, prefork_worker, runs, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 4


def in_threads(hotel: Hotel, *functions: Callable[[], object]) -> None:
    """Run each function in a thread in the hotel's context, and raise the first error."""

    def run(function: Callable[[], object]) -> None:
        try:
            with hotel_context(hotel):
                function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        for future in [pool.submit(run, function) for function in functions]:
            future.result()


# Every message that was sent is done, queued, or a failure of its own hotel.


def test_task_that_fails_while_postgresql_is_down_is_captured_later(hotel: Hotel) -> None:
    """As a negative control, a receiver of a Celery signal tries to capture another task.

    The receiver raises a database error, which Celery ignores. The other task is therefore lost.
    """
    with prefork_worker():
        with hotel_context(hotel):
            fail.delay("before")
            wait_for(lambda: Failure.objects.filter(name=fail.name).first())
        with database_outage():
            with hotel_context(hotel):
                fail.delay("Ana")
                fail_by_signal.delay("control")
            wait_for(lambda: "control" in runs())
            wait_for(lambda: any(message["headers"].get("redelivered") for message in messages()))
        wait_for(lambda: not messages())
    with hotel_context(hotel):
        assert {tuple(failure.payload["args"]) for failure in Failure.objects.all()} == {
            ("before",),
            ("Ana",),
        }
    with platform_context():
        assert not Failure.objects.exists()  # the task of the negative control was lost


# No two attempts of one failure overlap.


def claim_without_fencing(*, failure_id: Any, **_options: object) -> Failure | None:
    """Claim a failure with an UPDATE that does not check the status of the failure.

    The negative control of `test_attempts_of_one_failure_do_not_overlap` uses this function. All threads of the test
    check that the failure is scheduled before one of them updates the failure.
    """
    failure = reload(Failure(id=failure_id))
    if failure.status != "scheduled":
        return None
    barrier.wait(20)
    with transaction.atomic():
        Failure.objects.filter(id=failure_id).update(status="retrying", attempt=F("attempt") + 1)
        failure = reload(failure)
        Attempt.objects.create(failure=failure, number=failure.attempt)
    return failure


barrier = threading.Barrier(WORKERS)


@pytest.mark.parametrize("is_control", [False, True], ids=["ours", "control"])
def test_attempts_of_one_failure_do_not_overlap(
    hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch, is_control: bool
) -> None:
    """If `is_control` is true, the workers claim the failure without a check of its status, so the attempts overlap.

    This run shows that the test detects overlaps.
    """
    barrier.reset()
    if is_control:
        monkeypatch.setattr(attempts, "claim", claim_without_fencing)
        in_handler = threading.Barrier(WORKERS)
        monkeypatch.setattr(lamp, "behaviour", lambda _failure: in_handler.wait(20))
    with hotel_context(hotel):
        failure = capture_failure()
        make_due(failure)
    started = threading.Barrier(WORKERS)

    def retry() -> None:
        started.wait(20)
        runner.retry_due(failure_id=failure.id)

    in_threads(hotel, *[retry] * WORKERS)
    with hotel_context(hotel):
        retries = list(failure.attempts.filter(number__gt=0, ended_at__isnull=False).order_by("started_at"))
    overlaps = [
        (first.number, second.number)
        for position, first in enumerate(retries)
        for second in retries[position + 1 :]
        if first.ended_at and second.started_at < first.ended_at
    ]
    assert bool(overlaps) == is_control
    assert len(lamp.retried) == (WORKERS if is_control else 1)


# A retry handler can commit its effect and the resolution of the failure in one transaction.


def do_work(failure: Failure) -> None:
    """Record an audit event as the effect of a retry. The tests count these events."""
    record(events.IN_DOUBT, subject=("effect", failure.id), name=failure.name)


def count_effects(failure: Failure) -> int:
    return len(timeline(kind="effect", identifier=failure.id))


def retry_in_killed_process_and_again(hotel: Hotel, failure: Failure) -> int:
    """Retry the failure with a retry handler that kills its process. Let the lease expire, and retry the failure again.

    Return how often the retry handler did its work.
    """
    assert run_in_fork(hotel, lambda: runner.retry_due(failure_id=failure.id)) == signal.SIGKILL
    Failure.objects.filter(id=failure.id, status="retrying").update(
        claimed_until=F("created_at") - timedelta(seconds=1)
    )
    runner.retry_due(failure_id=failure.id)
    if reload(failure).status == "scheduled":
        make_due(failure)
        runner.retry_due(failure_id=failure.id)
    assert reload(failure).status == "resolved"
    return count_effects(failure)


@pytest.mark.parametrize(
    ("handler", "effects"), [("killed_before", 1), ("killed_after", 1), ("resolves_afterwards", 2)]
)
def test_killed_handler_that_resolves_the_failure_in_its_transaction_does_the_work_once(
    hotel: Hotel, lamp: Lamp, handler: str, effects: int
) -> None:
    """In the negative control, the handler does not resolve the failure, so the work is done twice."""
    with hotel_context(hotel):
        failure = capture_failure()
        make_due(failure)

    def handle(claimed: Failure) -> None:
        kill = kill_this_process if claimed.attempt == 1 else lambda: None
        with transaction.atomic():
            do_work(claimed)
            if handler == "killed_before":
                kill()
            if handler != "resolves_afterwards":
                attempts.resolve_in_transaction(claimed)
        kill()

    lamp.behaviour = handle
    with hotel_context(hotel):
        assert retry_in_killed_process_and_again(hotel, failure) == effects


# Each piece of work has at most one open failure.


def capture_after_check() -> None:
    """Store a failure if no failure with the same work key is open.

    The barrier makes all workers check this condition before any of them stores a failure, so that the tests
    force the race.
    """
    is_open = Failure.objects.filter(work_key="booking 7", status__in=OPEN_STATUSES).exists()
    barrier.wait(20)
    if not is_open:
        Failure.objects.create(
            is_task=False, source="tests", name=NAME, work_key="booking 7", payload={}, status="scheduled",
            error_type="LampError", fingerprint="0" * 16, expires_at=database_now(),
        )  # fmt: skip


def test_concurrent_captures_of_the_same_work_store_one_open_failure(hotel: Hotel, lamp: Lamp) -> None:
    """As a negative control, the captures are repeated without the unique index. Then each capture stores a failure."""
    barrier.reset()
    in_threads(hotel, *[lambda: capture_failure(work_key="booking 7")] * WORKERS)
    with hotel_context(hotel):
        assert Failure.objects.get().occurrences == WORKERS
        Failure.objects.update(status="resolved")
    with pytest.raises(IntegrityError):
        in_threads(hotel, *[capture_after_check] * WORKERS)
    with hotel_context(hotel):
        assert Failure.objects.filter(status__in=OPEN_STATUSES).count() == 1
        Failure.objects.update(status="resolved")
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {hotel.schema}.dlq_failure_work_key")
    barrier.reset()
    in_threads(hotel, *[capture_after_check] * WORKERS)
    with hotel_context(hotel):
        assert Failure.objects.filter(status__in=OPEN_STATUSES).count() == WORKERS

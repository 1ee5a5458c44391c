"""Tests of leases: a handler claims a failure, extends the lease of the attempt, and ends the attempt.

Handlers of other systems choose the length of the lease when they claim a failure.
"""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F

from dlq.error_reports import report_texts
from dlq.errors import AttemptLost
from dlq.models import AttemptOutcome, Failure
from dlq.policy import FAILURE_DUE
from dlq.retries import attempts, runner, schedule
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel
from tests.dlq.conftest import NAME, Lamp, capture_failure, make_due, reload

LEASE = timedelta(seconds=40)


def claimed_failure() -> Failure:
    failure = capture_failure()
    make_due(failure)
    claimed = attempts.claim(failure_id=failure.id, lease=LEASE)
    assert claimed is not None
    return claimed


def expire_lease(failure: Failure) -> None:
    Failure.objects.filter(id=failure.id).update(claimed_until=F("created_at") - timedelta(seconds=1))
    runner.retry_due(failure_id=failure.id)


@pytest.mark.django_db
def test_claim_next_claims_due_failures_with_the_given_names_oldest_first(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failures = [capture_failure(room=str(number)) for number in range(4)]
    for failure in failures[:3]:
        make_due(failure)
    claimed = attempts.claim_next(names=[NAME], lease=LEASE, limit=2)
    assert [failure.id for failure in claimed] == [failure.id for failure in failures[:2]]
    assert attempts.claim_next(names=["another name"], lease=LEASE, limit=2) == []
    assert len(attempts.claim_next(names=[NAME], lease=LEASE, limit=9)) == 1
    seconds = (claimed[0].claimed_until - claimed[0].attempts.get(number=1).started_at).total_seconds()  # type: ignore[operator]
    assert abs(seconds - LEASE.total_seconds()) < 5


@pytest.mark.django_db(transaction=True)
def test_concurrent_claims_by_several_clients_return_different_failures(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        for number in range(20):
            make_due(capture_failure(room=str(number)))
    claimed: list[list[Failure]] = []
    barrier = threading.Barrier(4)

    def claim() -> None:
        try:
            with hotel_context(hotel):
                barrier.wait(20)
                while batch := attempts.claim_next(names=[NAME], lease=LEASE, limit=5):
                    claimed.append(batch)
        finally:
            connection.close()

    clients = [threading.Thread(target=claim) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(20)
    ids = [failure.id for batch in claimed for failure in batch]
    assert (len(ids), len(set(ids))) == (20, 20)


@pytest.mark.django_db
def test_lease_can_be_extended_until_the_attempt_is_lost(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = claimed_failure()
    claimed_until = attempts.extend(failure_id=failure.id, number=1, lease=LEASE * 2)
    assert claimed_until is not None
    assert claimed_until > database_now() + LEASE
    runner.retry_due(failure_id=failure.id)
    assert reload(failure).status == "retrying"
    expire_lease(failure)
    assert reload(failure).status == "scheduled"
    assert attempts.extend(failure_id=failure.id, number=1, lease=LEASE) is None
    make_due(failure)
    attempts.claim(failure_id=failure.id)
    assert attempts.extend(failure_id=failure.id, number=1, lease=LEASE) is None


@pytest.mark.django_db
def test_failed_attempt_with_retry_false_makes_the_failure_permanent(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = claimed_failure()
    error = report_texts(type="Timeout", message="no answer")
    assert attempts.record_failure(failure_id=failure.id, number=1, error=error, worker="key", retry=False)
    assert (reload(failure).status, reload(failure).error_message) == ("permanent", "no answer")
    attempt = failure.attempts.get(number=1)
    assert (attempt.outcome, attempt.worker) == (AttemptOutcome.FAILED, "key")


@pytest.mark.django_db
def test_effect_and_result_of_a_retry_handler_are_committed_together(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = claimed_failure()

    def do_work(*, is_broken: bool) -> None:
        with transaction.atomic():
            attempts.resolve_in_transaction(failure)
            if is_broken:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        do_work(is_broken=True)
    assert reload(failure).status == "retrying"
    do_work(is_broken=False)
    assert reload(failure).status == "resolved"


@pytest.mark.django_db
def test_handler_whose_attempt_was_lost_cannot_resolve_the_failure_in_its_transaction(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failure = claimed_failure()
    expire_lease(failure)
    with pytest.raises(AttemptLost), transaction.atomic():
        attempts.resolve_in_transaction(failure)
    assert reload(failure).status == "scheduled"


def has_due_item(failure: Failure) -> bool:
    with platform_context():
        return DueItem.objects.filter(kind=FAILURE_DUE, item_id=failure.id).exists()


@pytest.mark.django_db
def test_due_item_is_deleted_if_another_worker_resolves_its_failure(in_hotel: Hotel, lamp: Lamp) -> None:
    """Another worker resolves the second failure of a batch while this worker retries the first failure.

    Two workers process the same failures if a batch runs for longer than the lease of its due items.
    """
    first, second = capture_failure(room="1"), capture_failure(room="2")
    make_due(first)
    make_due(second)
    running = attempts.claim(failure_id=second.id)
    assert running

    def resolve_second(_failure: Failure) -> None:
        attempts.record_success(failure_id=second.id, number=running.attempt)

    lamp.behaviour = resolve_second
    runner.retry_all([first.id, second.id], seconds=60)
    assert [reload(failure).status for failure in (first, second)] == ["resolved", "resolved"]
    assert not has_due_item(second)


@pytest.mark.django_db
def test_due_item_of_a_closed_failure_is_removed_when_processed(in_hotel: Hotel, lamp: Lamp) -> None:
    failure = capture_failure()
    make_due(failure)
    runner.retry_due(failure_id=failure.id)
    schedule.schedule_check(failure.id, database_now())
    runner.retry_due(failure_id=failure.id)
    assert not has_due_item(failure)

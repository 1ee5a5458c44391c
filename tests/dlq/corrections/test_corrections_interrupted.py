"""Tests of corrections that are interrupted, or made at the same time."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection, transaction

from audit.reading.search import timeline
from dlq import services
from dlq.corrections.services import correct_and_retry
from dlq.models import Failure, FailureStatus
from dlq.retries import ordering
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tests.dlq.conftest import NAME, Lamp, LampError, capture_failure, reload
from tests.dlq.redrives.test_redrives_once import run_in_process_that_is_killed
from tests.dlq.retries.test_claims import run_concurrently, wait_until_blocked


def die(**_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.django_db(transaction=True)
def test_kill_between_correction_and_retry_stores_neither_the_correction_nor_the_retry(
    hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hotel_context(hotel):
        failure = capture_failure(retry=False)
    monkeypatch.setattr(services, "retry", die)

    def correct() -> None:
        with hotel_context(hotel):
            correct_and_retry(failure_id=failure.id, change=lambda _payload: {"lamp": 2})

    def correct_in_two_transactions() -> None:
        """Commit the correction, and schedule the retry in a second transaction.

        The tests use this function as a negative control: if the process is interrupted between the two
        transactions, the correction remains without a retry.
        """
        with hotel_context(hotel):
            Failure.objects.filter(id=failure.id).update(corrected_payload={"lamp": 2})
            services.retry(failure_id=failure.id)

    run_in_process_that_is_killed(correct)
    with hotel_context(hotel):
        assert reload(failure).corrected_payload is None
        assert not timeline(kind="failure", identifier=failure.id).filter(event="failure.corrected").exists()
    run_in_process_that_is_killed(correct_in_two_transactions)
    with hotel_context(hotel):
        assert (reload(failure).corrected_payload, reload(failure).status) == (
            {"lamp": 2},
            FailureStatus.PERMANENT,
        )
    with platform_context():
        assert not DueItem.objects.filter(item_id=failure.id).exists()


@pytest.mark.django_db(transaction=True)
def test_only_one_of_two_concurrent_corrections_is_stored(hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        failure = capture_failure(retry=False)

    def correct(number: int) -> None:
        correct_and_retry(
            failure_id=failure.id,
            may_change=lambda version: version == failure.version,
            change=lambda _payload: {"lamp": number},
        )

    results = run_concurrently(hotel, failure, partial(correct, 2), partial(correct, 3))
    assert sorted(type(result).__name__ for result in results) == ["FailureConflict", "NoneType"]
    with hotel_context(hotel):
        assert reload(failure).corrections == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_correction_and_claim_with_an_ordering_key_do_not_deadlock(
    hotel: Hotel, lamp: Lamp
) -> None:
    with hotel_context(hotel):
        failure_id = services.capture(
            is_task=False, source="tests", name=NAME, payload={"lamp": 1}, error=LampError("no current"),
            ordering_key="booking 1",
        ).id  # fmt: skip

    def correct() -> None:
        try:
            with hotel_context(hotel):
                correct_and_retry(failure_id=failure_id, change=lambda _payload: {"lamp": 2})
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with hotel_context(hotel), transaction.atomic():
            # A claim locks the ordering key first, and the failure afterwards.
            ordering.lock("booking 1")
            correction = pool.submit(correct)
            wait_until_blocked(1)
            Failure.objects.filter(id=failure_id).update(occurrences=2)
        correction.result()
    with hotel_context(hotel):
        failure = Failure.objects.get(id=failure_id)
        assert (failure.occurrences, failure.corrected_payload) == (2, {"lamp": 2})

"""Tests of failures with the same ordering key: the queue retries one of them at a time, oldest first."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import Client
from rest_framework.test import APIClient

from audit.reading.search import timeline
from dlq import selectors, services, tasks
from dlq.kinds import registry
from dlq.kinds.registry import Kind
from dlq.models import Failure
from dlq.retries import attempts, ordering, runner
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import (
    NAME,
    Lamp,
    LampError,
    capture_failure,
    failing_task,
    is_due,
    make_due,
    reload,
)

BOOKING = "booking:7"


def capture_in_order(count: int, *, key: str = BOOKING) -> list[Failure]:
    """Capture due failures that all have the same ordering key."""
    failures = [capture_failure(step=step, booking=key, ordering_key=key) for step in range(count)]
    for failure in failures:
        make_due(failure)
    return failures


def statuses(failures: list[Failure]) -> list[str]:
    return [reload(failure).status for failure in failures]


@pytest.mark.django_db
def test_failures_with_one_ordering_key_are_retried_oldest_first(in_hotel: Hotel, lamp: Lamp) -> None:
    failures = capture_in_order(3)
    other = capture_in_order(1, key="booking:8")
    for failure in [*reversed(failures), *other]:
        runner.retry_due(failure_id=failure.id)
    assert statuses(failures) == ["resolved", "scheduled", "scheduled"]
    assert statuses(other) == ["resolved"]
    assert [is_due(failure) for failure in failures] == [False, True, False]
    runner.retry_due(failure_id=failures[1].id)
    runner.retry_due(failure_id=failures[2].id)
    assert [payload["step"] for payload in lamp.retried if payload["booking"] == BOOKING] == [0, 1, 2]


@pytest.mark.django_db
def test_later_failures_wait_until_the_oldest_permanent_failure_is_discarded(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failures = capture_in_order(2)
    lamp.fail()
    Failure.objects.filter(id=failures[0].id).update(retries=2)
    runner.retry_due(failure_id=failures[0].id)
    lamp.behaviour = lambda _failure: None
    runner.retry_due(failure_id=failures[1].id)
    assert statuses(failures) == ["permanent", "scheduled"]
    assert not is_due(failures[1])
    assert attempts.claim_next(names=[NAME], lease=timedelta(seconds=40)) == []
    services.discard(failure_id=failures[0].id, reason="not needed any more")
    assert is_due(failures[1])
    runner.retry_due(failure_id=failures[1].id)
    assert statuses(failures) == ["discarded", "resolved"]


@pytest.mark.django_db
def test_failure_that_waits_too_long_for_an_older_failure_becomes_permanent(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failures = capture_in_order(2)
    Failure.objects.filter(id=failures[1].id).update(expires_at=F("created_at") - timedelta(seconds=1))
    runner.retry_due(failure_id=failures[1].id)
    assert statuses(failures) == ["scheduled", "permanent"]


@pytest.mark.django_db
def test_platform_failures_with_the_same_ordering_key_are_retried_in_order(
    platform: None, lamp: Lamp
) -> None:
    failures = capture_in_order(2)
    assert selectors.due_failures(limit=9) == [failures[0].id]
    tasks.retry_platform_due()
    tasks.retry_platform_due()
    assert statuses(failures) == ["resolved", "resolved"]


@pytest.mark.django_db
def test_failure_is_not_retried_automatically_after_newer_work_with_its_ordering_key_succeeded(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    failures = capture_in_order(2)
    assert ordering.overtake(BOOKING) == 2  # newer work with this ordering key has succeeded
    for failure in failures:
        runner.retry_due(failure_id=failure.id)
        assert not is_due(failure)
    assert statuses(failures) == ["permanent", "permanent"]
    assert lamp.retried == []
    assert reload(failures[0]).overtaken_at is not None
    assert timeline(kind="failure", identifier=failures[0].id)[0].event == "failure.overtaken"
    services.retry(failure_id=failures[0].id)
    runner.retry_due(failure_id=failures[0].id)
    assert statuses(failures) == ["resolved", "permanent"]


@pytest.mark.django_db
def test_successful_task_makes_older_failures_with_its_ordering_key_permanent(
    in_hotel: Hotel, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Kind(name=failing_task.name, ordering_key=lambda payload: payload["kwargs"]["colour"])
    monkeypatch.setitem(registry._kinds, failing_task.name, kind)
    for colour in ("red", "green"):
        failing_task.delay(-1, colour=colour)
    failing_task.delay(1, colour="red")
    found = {failure.ordering_key: failure.status for failure in Failure.objects.all()}
    assert found == {"red": "permanent", "green": "scheduled"}


@pytest.mark.django_db
def test_older_failure_waits_for_a_person_if_a_newer_failure_succeeds_first(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    older, newer = capture_in_order(2)
    # A transaction that captured the older failure was committed after the newer one had been claimed.
    Failure.objects.filter(id=newer.id).update(status="retrying", attempt=1)
    newer.attempts.create(number=1)
    runner.retry_due(failure_id=older.id)
    assert statuses([older, newer]) == ["scheduled", "retrying"]
    attempts.record_success(failure_id=newer.id, number=1)
    assert statuses([older, newer]) == ["permanent", "resolved"]


@pytest.mark.django_db
def test_failure_becomes_permanent_if_newer_work_succeeds_during_its_failed_attempt(
    in_hotel: Hotel, lamp: Lamp
) -> None:
    [failure] = capture_in_order(1)

    def overtaken(_failure: Failure) -> None:
        ordering.overtake(BOOKING)
        raise LampError

    lamp.behaviour = overtaken
    runner.retry_due(failure_id=failure.id)
    assert statuses([failure]) == ["permanent"]


@pytest.mark.django_db(transaction=True)
def test_failures_with_one_ordering_key_are_not_claimed_at_the_same_time(hotel: Hotel, lamp: Lamp) -> None:
    """One transaction claims the older of two failures.

    Another worker tries to claim the newer failure before the commit.
    """
    with hotel_context(hotel):
        older, newer = capture_in_order(2)
    claimed: list[Failure | None] = []
    started = threading.Event()

    def claim_newer() -> None:
        try:
            with hotel_context(hotel):
                started.set()
                claimed.append(attempts.claim(failure_id=newer.id))
        finally:
            connection.close()

    with hotel_context(hotel):
        with transaction.atomic():
            assert attempts.claim(failure_id=older.id)
            worker = threading.Thread(target=claim_newer)
            worker.start()
            assert started.wait(20)
        worker.join(20)
        assert claimed == [None]
        assert statuses([older, newer]) == ["retrying", "scheduled"]


@pytest.mark.django_db
def test_api_and_admin_show_what_a_failure_waits_for(
    hotel: Hotel, lamp: Lamp, api: APIClient, staff: Client
) -> None:
    with hotel_context(hotel):
        older, newer = capture_in_order(2)
    entries = {entry["id"]: entry for entry in api.get("/api/v1/dlq/entries/").json()["results"]}
    assert (entries[str(newer.id)]["waits_for"], entries[str(older.id)]["waits_for"]) == (str(older.id), None)
    page = staff.get(f"/admin/dlq/failure/{newer.id}/change/").content.decode()
    assert f"Waits until the older failure {older.id} is resolved or discarded." in page
    with hotel_context(hotel):
        ordering.overtake(BOOKING)
    assert api.get(f"/api/v1/dlq/entries/{older.id}/").json()["overtaken_at"]
    page = staff.get(f"/admin/dlq/failure/{older.id}/change/").content.decode()
    assert "Newer work with the ordering key booking:7 has succeeded" in page

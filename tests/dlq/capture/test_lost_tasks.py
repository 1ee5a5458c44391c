"""Tests that no task is lost at the hard time limit, if the task's process is killed, or if the database is down."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from dlq import services, tasks
from dlq.models import Failure
from hotelagent.celery import app
from hotelagent.core.ids import uuid7
from tenants import services as hotels
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch
from tests.dlq.conftest import make_due, reload
from tests.dlq.worker_tasks import fail, hang, kill_worker
from tests.dlq.workers import messages, prefork_worker, runs, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_task_and_retry_killed_at_the_hard_time_limit_are_one_failure(
    hotel: Hotel,
) -> None:
    with hotel_context(hotel):
        hang.delay("Ana")
        with prefork_worker():
            failure = wait_for(lambda: Failure.objects.filter(name=hang.name).first())
            assert failure.payload == {"args": ["Ana"], "kwargs": {}}
            assert "TimeLimitExceeded" in failure.error_type
            services.retry(failure_id=failure.id)
            tasks.retry_due.delay([str(failure.id)])
            wait_for(lambda: Failure.objects.filter(retries=1, status="scheduled").first())
        assert (Failure.objects.count(), failure.attempts.count()) == (1, 2)
    with platform_context():
        assert not Failure.objects.exists()


def test_failure_of_a_task_that_kills_its_workers_waits_for_a_person(hotel: Hotel) -> None:
    with hotel_context(hotel):
        kill_worker.delay("Ana")
        with prefork_worker():
            failure = wait_for(lambda: Failure.objects.filter(name=kill_worker.name).first())
            assert (failure.status, len(runs())) == ("permanent", 4)
            services.retry(failure_id=failure.id)
            tasks.retry_due.delay([str(failure.id)])
            wait_for(lambda: Failure.objects.filter(retries=1, status="permanent").first())
        assert len(runs()) == 5


def send_raw(body: bytes, **headers: Any) -> None:
    """Send a message with this body to the workers, as another program could."""
    with app.connection_for_write() as broker:
        broker.SimpleQueue("celery", no_ack=True)
        broker.Producer().publish(
            body,
            routing_key="celery",
            headers=headers,
            content_type="application/json",
            content_encoding="utf-8",
        )


def test_messages_that_no_worker_can_run_are_captured(hotel: Hotel) -> None:
    header = {"hotel": str(hotel.id), "id": str(uuid7())}
    app.conf.update(broker_url=settings.REDIS_URL)
    app.send_task("tests.dlq.removed", ["Ana"], headers={"hotel": str(hotel.id)})
    send_raw(b"{not json", task=fail.name, **header)
    send_raw(b"[]", task=fail.name, **header)
    send_raw(b"7", hotel="not an id")
    send_raw(b"of a deleted hotel", hotel=str(uuid7()))
    with prefork_worker():
        wait_for(lambda: not messages())
    with hotel_context(hotel):
        failures = {failure.error_type: failure for failure in Failure.objects.all()}
        removed = failures.pop("celery.exceptions.NotRegistered")
        assert (removed.name, removed.status) == ("tests.dlq.removed", "scheduled")
        assert removed.payload == {"args": ["Ana"], "kwargs": {}}
        assert {bytes(failure.original or b"") for failure in failures.values()} == {b"{not json", b"[]"}
        assert {failure.status for failure in failures.values()} == {"permanent"}
    with platform_context():
        assert bytes(Failure.objects.get().original or b"") == b"7"


def test_captured_task_runs_after_its_hotel_is_resumed_or_its_code_is_deployed(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    hotels.suspend_hotel(hotel_id=hotel.id)
    app.conf.update(broker_url=settings.REDIS_URL)
    for sender, name in ((hotel, fail.name), (other_hotel, "tests.dlq.later")):
        app.send_task(name, ["Ana"], headers={"hotel": str(sender.id)})
    with prefork_worker():
        with hotel_context(hotel):
            suspended = wait_for(Failure.objects.first)
        with hotel_context(other_hotel):
            unknown = wait_for(Failure.objects.first)
            make_due(unknown)
            tasks.retry_due.delay([str(unknown.id)])
            # The worker with the old version postpones the retry of the failure, and does not count a retry.
            wait_for(lambda: reload(unknown).next_retry_at > unknown.last_seen_at)
    assert (reload_in(other_hotel, unknown).status, reload_in(other_hotel, unknown).retries) == (
        "scheduled",
        0,
    )
    assert (suspended.status, suspended.payload["args"], runs()) == ("scheduled", ["Ana"], [])
    # The hotel can be suspended for longer than failures are usually retried.
    assert (suspended.expires_at - suspended.created_at).days > 300

    for owner, failure in ((hotel, suspended), (other_hotel, unknown)):
        with hotel_context(owner):
            make_due(failure)
    with platform_context():
        failures = DueItem.objects.filter(kind="failure")
        failures.update(due_at=database_now(), claim_at=database_now())
        failures.filter(hotel=hotel).update(claim_at=database_now() + timedelta(days=300))
    hotels.resume_hotel(hotel_id=hotel.id)
    with platform_context():
        dispatch.dispatch_due_items()
    with prefork_worker(include="tests.dlq.worker_tasks,tests.dlq.later_tasks"):
        wait_for(lambda: reload_in(other_hotel, unknown).status == "resolved")
        wait_for(lambda: reload_in(hotel, suspended).retries == 1)
        wait_for(lambda: not messages())
    assert sorted(runs()) == ["Ana", "later Ana"]


def reload_in(hotel: Hotel, failure: Failure) -> Failure:
    with hotel_context(hotel):
        return reload(failure)

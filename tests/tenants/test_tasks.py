"""The hotel travels with the task, and a task that kills its worker is given up."""

import datetime
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import shared_task
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hotelagent.celery import app
from tenants import host_routing, services
from tenants.context import (
    Actor,
    TenantNotSet,
    actor_context,
    current_actor,
    current_tenant,
    hotel_context,
    platform_context,
)
from tenants.errors import TooManyDeliveries
from tenants.models import Hotel, Redelivery
from tenants.queue.celery_task import HOTEL_HEADER, HotelTask

seen: list[Any] = []


@shared_task(base=HotelTask, name="tests.note")
def note(value: str = "") -> None:
    seen.append((current_tenant().slug, current_actor().kind, current_actor().request_id, value))


@shared_task(base=HotelTask, name="tests.fail_then_note", bind=True)
def fail_then_note(self: Any) -> None:
    if not self.request.retries:
        raise self.retry(countdown=0)
    note("retried")


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()


@pytest.fixture
def worker(db: None, unkept_connections: None) -> Iterator[Any]:
    """A worker with two threads, on this test's Redis."""
    app.conf.update(broker_url=settings.REDIS_URL)
    with start_worker(
        app, concurrency=2, pool="threads", perform_ping_check=False, loglevel="ERROR"
    ) as worker:
        yield worker
    app.close()


def wait_for(count: int) -> list[Any]:
    deadline = time.monotonic() + 10
    while len(seen) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return seen


@pytest.mark.django_db(transaction=True)
def test_a_task_runs_in_the_hotel_that_it_was_sent_from(
    worker: Any, hotel: Hotel, other_hotel: Hotel
) -> None:
    for one in (hotel, other_hotel, hotel):
        with hotel_context(one), actor_context(Actor("user", "1", "ana", request_id="r-1")):
            note.delay()
    with platform_context():
        note.delay()
    assert sorted(wait_for(4)) == [
        ("", "task", None, ""), ("alpha", "task", "r-1", ""), ("alpha", "task", "r-1", ""), ("beta", "task", "r-1", ""),
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_retry_keeps_the_hotel(worker: Any, hotel: Hotel) -> None:
    with hotel_context(hotel):
        fail_then_note.delay()
    assert wait_for(1) == [("alpha", "task", None, "retried")]


@pytest.mark.django_db(transaction=True)
def test_on_commit_the_hotel_is_that_of_the_call(worker: Any, hotel: Hotel) -> None:
    with platform_context(), transaction.atomic():
        with hotel_context(hotel):
            note.delay_on_commit("x")
        time.sleep(0.2)
        assert seen == []
    assert wait_for(1) == [("alpha", "task", None, "x")]


@pytest.mark.django_db(transaction=True)
def test_no_task_of_a_suspended_hotel_runs(worker: Any, hotel: Hotel, other_hotel: Hotel) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    with hotel_context(hotel):
        note.delay("suspended")
    with hotel_context(other_hotel):
        note.delay("open")
    assert wait_for(1) == [("beta", "task", None, "open")]


def test_sending_without_a_hotel_or_the_platform_is_refused() -> None:
    with pytest.raises(TenantNotSet):
        note.delay()


def test_a_plain_call_runs_in_its_callers_context(hotel: Hotel) -> None:
    with hotel_context(hotel):
        note("direct")
    assert seen[0][0] == "alpha"


def test_threads_do_not_share_a_tasks_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    barrier = threading.Barrier(2)
    results = []

    @shared_task(base=HotelTask, name="tests.meet")
    def meet() -> None:
        barrier.wait(5)
        results.append(current_tenant().slug)

    def run(one: Hotel) -> None:
        with hotel_context(one):
            meet.apply()

    original = host_routing.by_id
    known = {hotel.id: hotel.tenant, other_hotel.id: other_hotel.tenant}
    host_routing.by_id = known.get  # type: ignore[assignment]
    try:
        threads = [threading.Thread(target=run, args=(one,)) for one in (hotel, other_hotel)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        host_routing.by_id = original
    assert sorted(results) == ["alpha", "beta"]


@pytest.mark.parametrize(
    "options",
    [{"countdown": 61}, {"eta": timezone.now() + datetime.timedelta(hours=1)}],
    ids=["countdown", "eta"],
)
def test_a_delay_of_more_than_a_minute_is_refused(in_hotel: Hotel, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="due queue"):
        note.apply_async(**options)


@pytest.mark.django_db
def test_a_message_that_comes_back_is_counted_in_the_database_and_given_up(in_hotel: Hotel) -> None:
    task_id = "0190b1a2-0000-7000-8000-000000000001"

    def deliver() -> Any:
        note.push_request(
            id=task_id, delivery_info={"redelivered": True}, headers={HOTEL_HEADER: str(in_hotel.id)}
        )
        try:
            return note("again")
        finally:
            note.pop_request()

    for _ in range(3):
        deliver()
    assert len(seen) == 3
    with pytest.raises(TooManyDeliveries):
        deliver()
    assert len(seen) == 3
    with platform_context():
        assert Redelivery.objects.get().deliveries == 5


def test_the_hotel_stands_in_the_message_and_nothing_about_it_but_its_id(
    in_hotel: Hotel, redis_url: str
) -> None:
    app.conf.update(broker_url=settings.REDIS_URL)
    note.delay("x")
    app.close()
    with redis.Redis.from_url(redis_url) as client:
        message = json.loads(client.lrange("celery", 0, 0)[0])
    assert message["headers"][HOTEL_HEADER] == str(in_hotel.id)
    assert in_hotel.name not in json.dumps(message)


def test_the_application_starts_by_itself() -> None:
    """As `celery -A hotelagent` does: nothing imported before it."""
    code = "from hotelagent.celery import app; app.loader.import_default_modules(); print(*sorted(app.tasks))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tenants.tasks.tick" in done.stdout

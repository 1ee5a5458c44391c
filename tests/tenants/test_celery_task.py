"""Tests of HotelTask, the base class of Celery tasks.

Tasks run in the context of their sender, and the number of deliveries of a message is limited.
"""

import datetime
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import redis
from celery import shared_task
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.events import STAFF_ADDED
from audit.models import Event
from audit.services import record
from hotelagent.celery import app
from hotelagent.core.ids import uuid7
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
from tenants.models import Hotel, Redelivery, User
from tenants.queue import dispatch, due
from tenants.queue.celery_task import HOTEL_HEADER, HotelTask
from tenants.queue.initiators import INITIATOR_HEADER, initiator_in
from tenants.scopes import Role
from tests.broker import close_broker_connections
from tests.programs import run_python

runs: list[Any] = []


@shared_task(base=HotelTask, name="tests.note")
def note(value: str = "") -> None:
    runs.append((current_tenant().slug, current_actor().kind, current_actor().request_id, value))


@shared_task(base=HotelTask, name="tests.fail_then_note", bind=True)
def fail_then_note(self: Any) -> None:
    if not self.request.retries:
        raise self.retry(countdown=0)
    note("retried")


@shared_task(base=HotelTask, name="tests.recorded")
def recorded(value: str) -> None:
    record(STAFF_ADDED, role=value)
    runs.append(value)


@shared_task(base=HotelTask, name="tests.send_recorded")
def send_recorded(value: str) -> None:
    recorded.delay(value)


@pytest.fixture(autouse=True)
def clear_runs() -> None:
    runs.clear()


@pytest.fixture
def worker(db: None, unpersistent_connections: None) -> Iterator[Any]:
    """Start a Celery worker with two threads, whose broker is the Redis server of the tests."""
    app.conf.update(broker_url=settings.REDIS_URL)
    with start_worker(
        app, concurrency=2, pool="threads", perform_ping_check=False, loglevel="ERROR"
    ) as worker:
        yield worker
    close_broker_connections()


def wait_for(count: int) -> list[Any]:
    deadline = time.monotonic() + 10
    while len(runs) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return runs


@pytest.mark.django_db(transaction=True)
def test_task_runs_with_the_hotel_and_the_request_id_of_its_sender(
    worker: Any, hotel: Hotel, other_hotel: Hotel
) -> None:
    for each_hotel in (hotel, other_hotel, hotel):
        with hotel_context(each_hotel), actor_context(Actor("user", "1", "ana", request_id="r-1")):
            note.delay()
    with platform_context():
        note.delay()
    assert sorted(wait_for(4)) == [
        ("", "task", None, ""), ("alpha", "task", "r-1", ""), ("alpha", "task", "r-1", ""), ("beta", "task", "r-1", ""),
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_audit_events_of_a_task_contain_the_initiator_even_if_another_task_sent_the_task(
    worker: Any, hotel: Hotel
) -> None:
    with hotel_context(hotel):
        for actor in (Actor("user", "1", "ana"), Actor("key", "2", "channel"), Actor("system", "", "system")):
            with actor_context(actor):
                send_recorded.delay(actor.label)
    assert sorted(wait_for(3)) == ["ana", "channel", "system"]
    with hotel_context(hotel):
        events = {
            event.data["role"]: (
                event.actor_kind,
                event.actor_id,
                event.initiator_kind,
                event.initiator_label,
            )
            for event in Event.objects.filter(event="staff.added")
        }
        task_ids = set(Event.objects.filter(event="staff.added").values_list("task_id", flat=True))
    assert events == {
        "ana": ("task", "tests.recorded", "user", "ana"),
        "channel": ("task", "tests.recorded", "key", "channel"),
        "system": ("task", "tests.recorded", None, ""),
    }
    assert len(task_ids) == 3


@shared_task(base=HotelTask, name="tests.record_due")
def record_due(ids: list[str]) -> None:
    """Record an event for each due item. Schedule an item again when it is processed for the first time."""
    for item in ids:
        record(STAFF_ADDED, role=item)
        is_first = Event.objects.filter(event="staff.added", data__role=item).count() == 1
        if is_first:
            due.schedule(kind="recorded", items=[(UUID(item), timezone.now())])
        else:
            due.complete(kind="recorded", ids=[UUID(item)])
        runs.append(item)


@pytest.mark.django_db(transaction=True)
def test_events_of_a_due_item_name_the_person_who_requested_it_also_after_a_retry(
    worker: Any, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "_kinds", {})
    due.register(kind="recorded", task="tests.record_due")
    requested, automatic, unknown = uuid7(), uuid7(), uuid7()
    with hotel_context(hotel):
        ana = User.objects.create_user(username="ana", password=None, role=Role.MANAGER)
        missing = str(uuid7())
        for item, actor, keep in (
            (requested, Actor("user", str(ana.pk), "ana"), True),
            (automatic, Actor("user", str(ana.pk), "ana"), False),
            (unknown, Actor("key", missing, "channel"), True),
        ):
            with actor_context(actor):
                due.schedule(kind="recorded", items=[(item, timezone.now())], keep_initiator=keep)
    for number in (3, 6):
        with platform_context(), actor_context(Actor("task", "t", "t", initiator=Actor("user", "9", "eve"))):
            assert dispatch.dispatch_due_items() == 3
        wait_for(number)
    with hotel_context(hotel):
        found = [
            (event.data["role"], event.initiator_id, event.initiator_label)
            for event in Event.objects.filter(event="staff.added")
        ]
    assert sorted(found) == sorted(
        2
        * [
            (str(requested), str(ana.pk), "ana"),
            (str(automatic), None, ""),
            (str(unknown), missing, missing),
        ]
    )


@pytest.mark.parametrize(
    "header",
    [None, "ana", {}, {"kind": "user"}, {"kind": "root", "id": "1", "label": "a"}, {"kind": "user", "id": 1}],
)
def test_initiator_header_that_is_not_valid_is_ignored(header: object) -> None:
    assert initiator_in({INITIATOR_HEADER: header}) is None


@pytest.mark.django_db(transaction=True)
def test_retry_of_a_task_runs_in_the_same_hotel(worker: Any, hotel: Hotel) -> None:
    with hotel_context(hotel):
        fail_then_note.delay()
    assert wait_for(1) == [("alpha", "task", None, "retried")]


@pytest.mark.django_db(transaction=True)
def test_task_sent_with_delay_on_commit_runs_in_the_callers_hotel(worker: Any, hotel: Hotel) -> None:
    with platform_context(), transaction.atomic():
        with hotel_context(hotel):
            note.delay_on_commit("x")
        time.sleep(0.2)
        assert runs == []
    assert wait_for(1) == [("alpha", "task", None, "x")]


@pytest.mark.django_db(transaction=True)
def test_task_of_a_suspended_hotel_does_not_run(worker: Any, hotel: Hotel, other_hotel: Hotel) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    with hotel_context(hotel):
        note.delay("suspended")
    with hotel_context(other_hotel):
        note.delay("open")
    assert wait_for(1) == [("beta", "task", None, "open")]


def test_delay_without_a_context_raises_tenant_not_set() -> None:
    with pytest.raises(TenantNotSet):
        note.delay()


def test_task_called_as_a_function_runs_in_the_callers_context(hotel: Hotel) -> None:
    with hotel_context(hotel):
        note("direct")
    assert runs[0][0] == "alpha"


def test_same_task_of_two_hotels_runs_concurrently_in_both_hotels(hotel: Hotel, other_hotel: Hotel) -> None:
    barrier = threading.Barrier(2)
    results = []

    @shared_task(base=HotelTask, name="tests.meet")
    def meet() -> None:
        barrier.wait(30)
        results.append(current_tenant().slug)

    def run(each_hotel: Hotel) -> None:
        with hotel_context(each_hotel):
            meet.apply()

    original = host_routing.by_id
    tenants = {hotel.id: hotel.tenant, other_hotel.id: other_hotel.tenant}
    host_routing.by_id = tenants.get  # type: ignore[assignment]
    try:
        threads = [threading.Thread(target=run, args=(each,)) for each in (hotel, other_hotel)]
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
def test_apply_async_with_a_delay_over_one_minute_raises_value_error(
    in_hotel: Hotel, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="due queue"):
        note.apply_async(**options)


@pytest.mark.django_db
def test_fifth_delivery_of_a_message_raises_too_many_deliveries(in_hotel: Hotel) -> None:
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
    assert len(runs) == 3
    with pytest.raises(TooManyDeliveries):
        deliver()
    assert len(runs) == 3
    with platform_context():
        assert Redelivery.objects.get().deliveries == 5


def test_celery_message_contains_the_id_of_the_hotel_but_not_its_name(
    in_hotel: Hotel, redis_url: str
) -> None:
    app.conf.update(broker_url=settings.REDIS_URL)
    close_broker_connections()
    note.delay("x")
    close_broker_connections()
    with redis.Redis.from_url(redis_url) as client:
        message = json.loads(client.lrange(f"{settings.REDIS_KEY_PREFIX}:celery", 0, 0)[0])
    assert message["headers"][HOTEL_HEADER] == str(in_hotel.id)
    assert in_hotel.name not in json.dumps(message)


def test_celery_application_imports_all_tasks() -> None:
    """Load the application in a new process, as the command `celery -A hotelagent` does."""
    code = "from hotelagent.celery import app; app.loader.import_default_modules(); print(*sorted(app.tasks))"
    process = run_python("-c", code, environment=os.environ)
    assert "tenants.tasks.tick" in process.stdout


def test_get_task_in_a_web_process_imports_the_task_modules() -> None:
    """Workers import the task modules when they start.

    Web processes do not, so `get_task` must import the task modules.
    """
    code = (
        "import django; django.setup(); from tenants.queue.celery_task import get_task; "
        "print(get_task('tenants.tasks.provision_hotel').name)"
    )
    process = run_python("-c", code, environment=os.environ)
    assert "tenants.tasks.provision_hotel" in process.stdout

"""Tests of due items whose task fails: either the due queue or the dead-letter queue retries an item, never both."""

from typing import Any
from uuid import UUID

import pytest
from celery import shared_task

from dlq import tasks
from dlq.models import Failure
from hotelagent.core.ids import uuid7
from tenants.context import platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch, due
from tenants.queue.celery_task import HotelTask
from tests.dlq.conftest import LampError, make_due

pytestmark = pytest.mark.django_db
KIND = "tests.lamp"

broken: set[str] = set()


@shared_task(base=HotelTask, name="tests.dlq.switch_on")
def switch_on(ids: list[str]) -> None:
    if broken & set(ids):
        raise LampError("no current")
    due.complete(kind=KIND, ids=[UUID(item) for item in ids])


@pytest.fixture(params=[False, True], ids=["once", "recurring"])
def is_recurring(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, eager: None) -> bool:
    is_recurring: bool = request.param
    monkeypatch.setattr(due, "_kinds", due.kinds())
    due.register(kind=KIND, task=switch_on.name, recurring=is_recurring)
    broken.clear()
    return is_recurring


def schedule_items(count: int) -> list[str]:
    ids = [uuid7() for _ in range(count)]
    due.schedule(kind=KIND, items=[(item_id, database_now()) for item_id in ids])
    return [str(item_id) for item_id in ids]


def dispatch_all() -> None:
    """End the leases of all due items of this kind, so that the items are due again. Then dispatch the items."""
    with platform_context():
        DueItem.objects.filter(kind=KIND).update(claim_at=database_now())
        dispatch.dispatch_due_items()


def remaining_items() -> list[str]:
    with platform_context():
        return [str(item.item_id) for item in DueItem.objects.filter(kind=KIND)]


def test_failed_due_item_is_captured_and_the_other_items_of_the_batch_are_processed(
    in_hotel: Hotel, is_recurring: bool
) -> None:
    ids = schedule_items(3)
    broken.add(ids[1])
    for _ in range(3):
        dispatch_all()
    failure = Failure.objects.get()
    assert failure.payload == {"args": [[ids[1]]], "kwargs": {}}
    if is_recurring:
        # The due queue still owns the item, so the dead-letter queue does not retry it.
        assert (failure.status, remaining_items()) == ("permanent", [ids[1]])
    else:
        assert (failure.status, remaining_items(), failure.occurrences) == ("scheduled", [], 1)


def test_failure_of_a_due_item_is_resolved_after_the_item_was_processed(
    in_hotel: Hotel, is_recurring: bool
) -> None:
    [item] = schedule_items(1)
    broken.add(item)
    dispatch_all()
    failure = Failure.objects.get()
    broken.clear()
    if is_recurring:
        dispatch_all()
    else:
        make_due(failure)
        tasks.retry_due.delay([str(failure.id)])
    assert Failure.objects.get().status == "resolved"
    assert remaining_items() == []


def test_batch_whose_worker_died_is_split_before_it_runs_again(in_hotel: Hotel, is_recurring: bool) -> None:
    ids = schedule_items(2)
    sent: list[Any] = []
    switch_on.push_request(
        id=str(uuid7()),
        args=[ids],
        delivery_info={"redelivered": True},
        headers={"hotel": str(in_hotel.id), "due": KIND},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            switch_on, "try_delay", lambda *args, **options: sent.append((args, options["headers"]))
        )
        switch_on(ids)
    switch_on.pop_request()
    assert [args for args, _headers in sent] == [([item],) for item in ids]
    assert len({headers["work"] for _args, headers in sent}) == 2
    assert remaining_items() == ids

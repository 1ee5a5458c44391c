"""What is due of many hotels goes as few messages, and stays each hotel's own."""

from typing import Any
from uuid import uuid4

import pytest
from celery import shared_task

from tenants import services, tasks
from tenants.context import current_actor, current_tenant, platform_context
from tenants.models import Hotel
from tenants.queue import dispatch, due
from tenants.queue.celery_task import HotelTask

pytestmark = pytest.mark.django_db(transaction=True)

done: list[tuple[str, list[str]]] = []
alone: list[tuple[str, list[str]]] = []


@shared_task(base=HotelTask, name="tests.handler")
def handler(ids: list[str]) -> None:
    assert current_actor().label == "tests.handler"
    if "bad" in ids:
        raise ZeroDivisionError
    done.append((current_tenant().slug, ids))


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> due.ItemKind:
    done.clear()
    alone.clear()
    monkeypatch.setattr(due, "_kinds", {})
    due.register(kind="thing", task="tests.handler", batch_size=4, combine_hotels=True)
    monkeypatch.setattr(
        handler, "apply_async", lambda args, headers: alone.append((headers["hotel"], args[0]))
    )
    return due.kinds()["thing"]


def handle(*batches: tuple[Hotel, list[str]], redelivered: bool = False) -> None:
    """As a worker runs the message."""
    task: Any = tasks.handle_due
    task.push_request(id=str(uuid4()), delivery_info={"redelivered": redelivered}, headers={})
    try:
        with platform_context():
            task("thing", [(str(hotel.id), ids) for hotel, ids in batches])
    finally:
        task.pop_request()


def test_each_hotel_is_handled_in_its_own_context(hotel: Hotel, other_hotel: Hotel) -> None:
    handle((hotel, ["1"]), (other_hotel, ["2", "3"]))
    assert done == [("alpha", ["1"]), ("beta", ["2", "3"])]
    assert alone == []


def test_one_that_fails_is_sent_alone_and_the_others_are_handled(hotel: Hotel, other_hotel: Hotel) -> None:
    handle((hotel, ["bad"]), (other_hotel, ["1"]))
    assert done == [("beta", ["1"])]
    assert alone == [(str(hotel.id), ["bad"])]


def test_after_a_worker_was_lost_each_goes_alone(hotel: Hotel, other_hotel: Hotel) -> None:
    """Whichever it is that kills workers, the others have got away from it."""
    handle((hotel, ["1"]), (other_hotel, ["2"]), redelivered=True)
    assert done == []
    assert alone == [(str(hotel.id), ["1"]), (str(other_hotel.id), ["2"])]


def test_what_is_left_after_its_time_goes_alone(
    hotel: Hotel, other_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "MESSAGE_SECONDS", -1.0)
    handle((hotel, ["1"]), (other_hotel, ["2"]))
    assert [ids for _hotel, ids in alone] == [["1"], ["2"]]


def test_a_suspended_hotel_is_left_out(hotel: Hotel, other_hotel: Hotel) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    handle((hotel, ["1"]), (other_hotel, ["2"]))
    assert (done, alone) == ([("beta", ["2"])], [])


def test_a_message_has_as_many_items_as_one_batch(kind: due.ItemKind) -> None:
    def batch(items: int) -> dispatch.Batch:
        return dispatch.Batch(hotel_id=uuid4(), kind=kind, ids=["x"] * items)

    groups = dispatch.group_by_message(map(batch, (4, 1, 2, 1, 1, 3, 2)))
    assert [[len(one.ids) for one in group] for group in groups] == [[4], [1, 2, 1], [1, 3], [2]]


def test_kinds_do_not_mix(kind: due.ItemKind) -> None:
    due.register(kind="other", task="tests.other", combine_hotels=True)
    batches = [dispatch.Batch(uuid4(), one, ["x"]) for one in due.kinds().values() for _ in range(2)]
    batches = batches[::2] + batches[1::2]
    assert [{batch.kind.name for batch in group} for group in dispatch.group_by_message(batches)] == [
        {"thing"},
        {"other"},
    ]


def test_what_may_be_slow_at_a_hotel_goes_hotel_by_hotel() -> None:
    due.register(kind="slow", task="tests.slow")
    batches = [dispatch.Batch(uuid4(), due.kinds()["slow"], ["x"]) for _ in range(3)]
    assert [len(group) for group in dispatch.group_by_message(batches)] == [1, 1, 1]

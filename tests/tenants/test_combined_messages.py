"""Tests of Celery messages that contain due items of several hotels."""

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

handled: list[tuple[str, list[str]]] = []
sent_alone: list[tuple[str, list[str]]] = []


@shared_task(base=HotelTask, name="tests.handler")
def handler(ids: list[str]) -> None:
    assert current_actor().label == "tests.handler"
    if "bad" in ids:
        raise ZeroDivisionError
    handled.append((current_tenant().slug, ids))


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> due.ItemKind:
    handled.clear()
    sent_alone.clear()
    monkeypatch.setattr(due, "_kinds", {})
    due.register(kind="thing", task="tests.handler", batch_size=4, combine_hotels=True)
    monkeypatch.setattr(
        handler, "apply_async", lambda args, headers: sent_alone.append((headers["hotel"], args[0]))
    )
    return due.kinds()["thing"]


def handle(*batches: tuple[Hotel, list[str]], redelivered: bool = False) -> None:
    """Run the task `handle_due` for a message with items of several hotels, as a worker does."""
    task: Any = tasks.handle_due
    task.push_request(id=str(uuid4()), delivery_info={"redelivered": redelivered}, headers={})
    try:
        with platform_context():
            task("thing", [(str(hotel.id), ids) for hotel, ids in batches])
    finally:
        task.pop_request()


def test_message_for_several_hotels_runs_the_task_once_in_each_hotel(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    handle((hotel, ["1"]), (other_hotel, ["2", "3"]))
    assert handled == [("alpha", ["1"]), ("beta", ["2", "3"])]
    assert sent_alone == []


def test_items_whose_task_fails_are_sent_again_in_a_separate_message(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    handle((hotel, ["bad"]), (other_hotel, ["1"]))
    assert handled == [("beta", ["1"])]
    assert sent_alone == [(str(hotel.id), ["bad"])]


def test_redelivered_message_for_several_hotels_is_split_into_one_message_per_hotel(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    """A message is redelivered if its worker died. The items of one hotel may have caused the death.

    If each hotel has a separate message, these items can't delay the items of the other hotels again.
    """
    handle((hotel, ["1"]), (other_hotel, ["2"]), redelivered=True)
    assert handled == []
    assert sent_alone == [(str(hotel.id), ["1"]), (str(other_hotel.id), ["2"])]


def test_items_remaining_after_the_time_limit_are_sent_in_separate_messages(
    hotel: Hotel, other_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "MESSAGE_SECONDS", -1.0)
    handle((hotel, ["1"]), (other_hotel, ["2"]))
    assert [ids for _hotel, ids in sent_alone] == [["1"], ["2"]]


def test_message_for_several_hotels_skips_items_of_a_suspended_hotel(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    handle((hotel, ["1"]), (other_hotel, ["2"]))
    assert (handled, sent_alone) == ([("beta", ["2"])], [])


def test_batches_are_combined_into_messages_of_at_most_the_batch_size(kind: due.ItemKind) -> None:
    def batch(items: int) -> dispatch.Batch:
        return dispatch.Batch(hotel_id=uuid4(), kind=kind, ids=["x"] * items)

    messages = dispatch.group_by_message(map(batch, (4, 1, 2, 1, 1, 3, 2)))
    assert [[len(part.ids) for part in message] for message in messages] == [[4], [1, 2, 1], [1, 3], [2]]


def test_items_of_different_kinds_are_sent_in_separate_messages(kind: due.ItemKind) -> None:
    due.register(kind="other", task="tests.other", combine_hotels=True)
    batches = [dispatch.Batch(uuid4(), one, ["x"]) for one in due.kinds().values() for _ in range(2)]
    batches = batches[::2] + batches[1::2]
    assert [{batch.kind.name for batch in group} for group in dispatch.group_by_message(batches)] == [
        {"thing"},
        {"other"},
    ]


def test_items_of_a_kind_without_combine_hotels_are_sent_in_one_message_per_hotel() -> None:
    due.register(kind="slow", task="tests.slow")
    batches = [dispatch.Batch(uuid4(), due.kinds()["slow"], ["x"]) for _ in range(3)]
    assert [len(group) for group in dispatch.group_by_message(batches)] == [1, 1, 1]

"""Tests that one Celery message ends expired holds of many hotels, and that an error in one hotel affects no other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.conf import settings

from locks import services
from locks.models import Allocation
from locks.tasks import expire_holds, process_waiting_list, publish_expiring_holds
from tenants import tasks
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch, due
from tests.locks.conftest import SomeNights
from tests.locks.helpers import expire

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def separately_enqueued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that receives the ids of the hotels whose due items are sent in a separate message.

    The message itself is not sent.
    """
    sent: list[str] = []
    for task in (expire_holds, publish_expiring_holds, process_waiting_list):
        monkeypatch.setattr(task, "apply_async", lambda args, headers: sent.append(headers["hotel"]))
    return sent


def expired_hold(hotel: Hotel, nights: SomeNights) -> UUID:
    with hotel_context(hotel):
        [room] = services.ensure_rooms({"double": 1})["double"]
        hold = services.acquire_hold(rooms=[room], nights=nights(3, 2)).rooms[0].id
        expire(hold)
    return hold


def handle_message(kind: str, *batches: tuple[Hotel, UUID]) -> None:
    """Run the task `handle_due` for the due items of these hotels, as a Celery worker does."""
    task: Any = tasks.handle_due
    task.push_request(id=str(uuid4()), delivery_info={"redelivered": False}, headers={})
    try:
        with platform_context():
            task(kind, [(str(hotel.id), [str(item)]) for hotel, item in batches])
    finally:
        task.pop_request()


def status(hotel: Hotel, hold: UUID) -> str:
    with hotel_context(hotel):
        return str(Allocation.objects.get(id=hold).status)


@contextmanager
def broken(hotel: Hotel) -> Iterator[None]:
    """Rename the hotel's table of allocations inside the `with` block, so that queries of the table fail."""
    with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as owner:
        owner.execute(f'ALTER TABLE "{hotel.schema}".locks_allocation RENAME TO gone')
        try:
            yield
        finally:
            owner.execute(f'ALTER TABLE "{hotel.schema}".gone RENAME TO locks_allocation')


@pytest.mark.parametrize("kind", ["hold", "expiring", "waiting"])
def test_due_queue_entries_of_200_hotels_are_grouped_into_two_celery_messages(kind: str) -> None:
    batches = [dispatch.Batch(uuid4(), due.kinds()[kind], ["x"]) for _ in range(200)]
    assert [len(group) for group in dispatch.group_by_message(batches)] == [100, 100]


def test_one_celery_message_expires_the_holds_of_two_hotels(
    hotel: Hotel, other_hotel: Hotel, nights: SomeNights, separately_enqueued: list[str]
) -> None:
    holds = [(hotel, expired_hold(hotel, nights)), (other_hotel, expired_hold(other_hotel, nights))]
    handle_message("hold", *holds)
    assert [status(*hold) for hold in holds] == ["expired", "expired"]
    assert separately_enqueued == []


@pytest.mark.parametrize("kind", ["hold", "expiring"])
def test_error_in_one_hotel_does_not_affect_other_hotels_in_the_same_celery_message(
    hotel: Hotel, other_hotel: Hotel, nights: SomeNights, separately_enqueued: list[str], kind: str
) -> None:
    first, second = expired_hold(hotel, nights), expired_hold(other_hotel, nights)
    with broken(hotel):
        handle_message(kind, (hotel, first), (other_hotel, second))
    assert separately_enqueued == [str(hotel.id)]
    assert status(hotel, first) == "held"
    with platform_context():
        waiting = set(DueItem.objects.filter(kind=kind).values_list("item_id", flat=True))
    assert waiting <= {first}  # the items of `other_hotel` were processed
    assert (status(other_hotel, second) == "expired") == (kind == "hold")

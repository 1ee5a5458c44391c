"""Tests of the due queue, which stores when work is due. A dispatcher sends the due items to Celery."""

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from celery import current_app
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu.exceptions import OperationalError

from hotelagent.core.ids import uuid7
from tenants import services, tasks
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch, due, metrics

pytestmark = pytest.mark.django_db

NOW = datetime.timedelta(0)
Sent = list[tuple[str, list[str]]]


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "_kinds", {})
    due.register(kind="reminder", task="tests.due", batch_size=2)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Return a list that records the batches of due items that the dispatcher sends.

    The list contains a pair for each batch: the id of the hotel, and the list of the due items' ids.
    """
    sent: Sent = []

    class Task:
        def apply_async(self, *, args: tuple[list[str]], headers: dict[str, str]) -> None:
            sent.append((headers["hotel"], args[0]))

    monkeypatch.setitem(current_app.tasks, "tests.due", Task())
    monkeypatch.setattr(tasks.handle_due, "delay", lambda _kind, batches: sent.extend(batches))
    return sent


def schedule(hotel: Hotel, *, after: datetime.timedelta = NOW, item: UUID | None = None) -> UUID:
    item = item or uuid7()
    with hotel_context(hotel):
        due.schedule(kind="reminder", items=[(item, timezone.now() + after)])
    return item


def run_tick() -> int:
    with platform_context():
        return int(tasks.tick())


def test_dispatcher_sends_due_items_in_batches_per_hotel(
    hotel: Hotel, other_hotel: Hotel, sent: Sent
) -> None:
    first_ids = sorted(str(schedule(hotel)) for _ in range(3))
    other_id = str(schedule(other_hotel))
    schedule(hotel, after=datetime.timedelta(hours=1))
    assert run_tick() == 4
    assert sorted(sent) == sorted(
        [(str(hotel.id), first_ids[:2]), (str(hotel.id), first_ids[2:]), (str(other_hotel.id), [other_id])]
    )


def test_dispatcher_without_due_items_runs_one_query(hotel: Hotel, sent: Sent) -> None:
    schedule(hotel, after=datetime.timedelta(hours=1))
    with platform_context(), CaptureQueriesContext(connection) as queries:
        assert tasks.tick() == 0
    assert [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]][1:] == []


def test_query_that_claims_due_items_scans_the_index_on_claim_at(hotel: Hotel, platform: None) -> None:
    """The planner's statistics are outdated in this test.

    The query must set planner options so that PostgreSQL uses the index.
    """
    for _ in range(50):
        schedule(hotel, after=datetime.timedelta(hours=1))
    with transaction.atomic(), CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
        dispatch.claim()
        settings, keyword, query = queries[-1]["sql"].partition("WITH")
        cursor.execute(f"{settings} EXPLAIN (ANALYZE, FORMAT JSON) {keyword}{query}")
        while cursor.nextset():
            pass
        plan = str(cursor.fetchone()[0])
    assert "'Index Name': 'tenants_dueitem_claim_at'" in plan
    assert "Sort" not in plan


def test_dispatcher_does_not_send_an_item_again_before_its_lease_ends(hotel: Hotel, sent: Sent) -> None:
    schedule(hotel)
    assert (run_tick(), run_tick()) == (1, 0)


def test_dispatcher_sends_an_item_again_after_its_lease_ended(hotel: Hotel, sent: Sent) -> None:
    schedule(hotel)
    run_tick()
    with platform_context():
        DueItem.objects.update(claim_at=timezone.now())  # ends the lease of the item
        assert tasks.tick() == 1
        assert DueItem.objects.get().claims == 2
    assert sent[0] == sent[1]


@pytest.mark.django_db(transaction=True)
def test_oldest_due_metric_is_the_age_of_the_oldest_due_item(hotel: Hotel, sent: Sent) -> None:
    def measure() -> float:
        with ThreadPoolExecutor(1) as thread:  # the metrics page reads gauges in a separate thread
            return thread.submit(metrics.oldest_due).result()

    schedule(hotel, after=datetime.timedelta(hours=1))
    assert measure() == 0
    schedule(hotel, after=-datetime.timedelta(minutes=10))
    assert 600 <= measure() < 660
    run_tick()
    assert 600 <= measure() < 660
    services.suspend_hotel(hotel_id=hotel.id)
    assert measure() == 0


def test_completed_due_item_is_removed_from_the_due_queue(hotel: Hotel, sent: Sent) -> None:
    item = schedule(hotel)
    run_tick()
    with hotel_context(hotel):
        due.complete(kind="reminder", ids=[item])
    with platform_context():
        assert not DueItem.objects.exists()


def test_due_item_that_was_rescheduled_before_its_task_completed_stays_in_the_due_queue(
    hotel: Hotel, sent: Sent
) -> None:
    item = schedule(hotel)
    run_tick()
    schedule(hotel, item=item, after=datetime.timedelta(days=1))
    with hotel_context(hotel):
        due.complete(kind="reminder", ids=[item])
    with platform_context():
        assert DueItem.objects.get().claims == 0


def test_cancel_removes_an_item_before_it_is_due(hotel: Hotel) -> None:
    item = schedule(hotel, after=datetime.timedelta(days=1))
    with hotel_context(hotel):
        due.cancel(kind="reminder", ids=[item])
    with platform_context():
        assert not DueItem.objects.exists()


def test_scheduling_an_existing_due_item_again_changes_its_due_time(hotel: Hotel, sent: Sent) -> None:
    item = schedule(hotel, after=datetime.timedelta(days=1))
    schedule(hotel, item=item)
    assert run_tick() == 1


def test_rollback_of_a_transaction_removes_the_items_that_it_scheduled(hotel: Hotel) -> None:
    with transaction.atomic():
        schedule(hotel)
        transaction.set_rollback(True)
    with platform_context():
        assert not DueItem.objects.exists()


def test_cancel_does_not_remove_items_of_another_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    item = schedule(other_hotel)
    with hotel_context(hotel):
        due.cancel(kind="reminder", ids=[item])
    with platform_context():
        assert DueItem.objects.get().hotel_id == other_hotel.id


def test_items_of_a_suspended_hotel_are_sent_after_the_suspension_is_lifted(hotel: Hotel, sent: Sent) -> None:
    schedule(hotel)
    services.suspend_hotel(hotel_id=hotel.id)
    scheduled_later = schedule(hotel)  # as an import that is still running
    assert run_tick() == 0
    services.resume_hotel(hotel_id=hotel.id)
    assert run_tick() == 2
    assert str(scheduled_later) in {item for _hotel, ids in sent for item in ids}


def test_claimed_items_are_released_if_the_broker_is_unavailable(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class UnavailableBroker:
        def apply_async(self, **_message: object) -> None:
            raise OperationalError("no broker")

    monkeypatch.setitem(current_app.tasks, "tests.due", UnavailableBroker())
    schedule(hotel)
    assert run_tick() == 0
    with platform_context():
        assert DueItem.objects.get().claim_at <= timezone.now()


def test_schedule_with_an_unregistered_kind_raises_lookup_error(in_hotel: Hotel) -> None:
    with pytest.raises(LookupError, match=r"due\.register"):
        due.schedule(kind="unknown", items=[(uuid7(), timezone.now())])


@pytest.mark.django_db(transaction=True)
def test_concurrent_claims_of_due_items_return_different_items(hotel: Hotel) -> None:
    for _ in range(4):
        schedule(hotel)
    with platform_context(), transaction.atomic():
        first = dispatch.claim(limit=3)
        claimed = claim_on_another_connection()
    assert sum(len(batch.ids) for batch in first) == 3
    assert claimed == 1


def claim_on_another_connection() -> int:
    counts: list[int] = []

    def claim() -> None:
        try:
            with platform_context(), transaction.atomic():
                counts.append(sum(len(batch.ids) for batch in dispatch.claim()))
        finally:
            connection.close()

    thread = threading.Thread(target=claim)
    thread.start()
    thread.join(10)
    return counts[0]

"""The due queue: what is due is handed out, and again if its handler dies."""

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
    """What went to the broker: hotel and ids, of several hotels in one message too."""
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


def tick() -> int:
    with platform_context():
        return int(tasks.tick())


def test_it_hands_out_what_is_due_by_hotel_in_batches(hotel: Hotel, other_hotel: Hotel, sent: Sent) -> None:
    mine = sorted(str(schedule(hotel)) for _ in range(3))
    theirs = str(schedule(other_hotel))
    schedule(hotel, after=datetime.timedelta(hours=1))
    assert tick() == 4
    assert sorted(sent) == sorted(
        [(str(hotel.id), mine[:2]), (str(hotel.id), mine[2:]), (str(other_hotel.id), [theirs])]
    )


def test_an_idle_tick_is_one_query(hotel: Hotel, sent: Sent) -> None:
    schedule(hotel, after=datetime.timedelta(hours=1))
    with platform_context(), CaptureQueriesContext(connection) as queries:
        assert tasks.tick() == 0
    assert [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]][1:] == []


def test_an_idle_tick_looks_at_no_hotel_and_at_nothing_that_waits(hotel: Hotel, platform: None) -> None:
    """While the statistics are young the planner would find it cheaper to go through the hotels."""
    for _ in range(50):
        schedule(hotel, after=datetime.timedelta(hours=1))
    with transaction.atomic(), CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
        dispatch.claim()
        settings, walk, rest = queries[-1]["sql"].partition("WITH")
        cursor.execute(f"{settings} EXPLAIN (ANALYZE, FORMAT JSON) {walk}{rest}")
        while cursor.nextset():
            pass
        plan = str(cursor.fetchone()[0])
    assert "'Index Name': 'tenants_dueitem_claim_at'" in plan
    assert "Sort" not in plan


def test_it_does_not_hand_out_twice_before_the_lease_ends(hotel: Hotel, sent: Sent) -> None:
    schedule(hotel)
    assert (tick(), tick()) == (1, 0)


def test_a_handler_that_died_gets_its_ids_again(hotel: Hotel, sent: Sent) -> None:
    """Whether worker, broker or beat is lost: the lease ends."""
    schedule(hotel)
    tick()
    with platform_context():
        DueItem.objects.update(claim_at=timezone.now())  # the lease's end
        assert tasks.tick() == 1
        assert DueItem.objects.get().claims == 2
    assert sent[0] == sent[1]


@pytest.mark.django_db(transaction=True)
def test_the_oldest_due_item_is_told_whether_it_waits_or_is_in_hand(hotel: Hotel, sent: Sent) -> None:
    def told() -> float:
        with ThreadPoolExecutor(1) as thread:  # as the page asks: on a thread of its own
            return thread.submit(metrics.oldest_due).result()

    schedule(hotel, after=datetime.timedelta(hours=1))
    assert told() == 0
    schedule(hotel, after=-datetime.timedelta(minutes=10))
    assert 600 <= told() < 660
    tick()
    assert 600 <= told() < 660
    services.suspend_hotel(hotel_id=hotel.id)
    assert told() == 0


def test_what_is_done_is_not_handed_out_again(hotel: Hotel, sent: Sent) -> None:
    item = schedule(hotel)
    tick()
    with hotel_context(hotel):
        due.complete(kind="reminder", ids=[item])
    with platform_context():
        assert not DueItem.objects.exists()


def test_done_keeps_what_was_moved_into_the_future_meanwhile(hotel: Hotel, sent: Sent) -> None:
    item = schedule(hotel)
    tick()
    schedule(hotel, item=item, after=datetime.timedelta(days=1))
    with hotel_context(hotel):
        due.complete(kind="reminder", ids=[item])
    with platform_context():
        assert DueItem.objects.get().claims == 0


def test_cancel_removes_what_is_not_due_yet(hotel: Hotel) -> None:
    item = schedule(hotel, after=datetime.timedelta(days=1))
    with hotel_context(hotel):
        due.cancel(kind="reminder", ids=[item])
    with platform_context():
        assert not DueItem.objects.exists()


def test_scheduling_again_moves_the_item(hotel: Hotel, sent: Sent) -> None:
    item = schedule(hotel, after=datetime.timedelta(days=1))
    schedule(hotel, item=item)
    assert tick() == 1


def test_it_goes_with_the_transaction_that_made_it(hotel: Hotel) -> None:
    with transaction.atomic():
        schedule(hotel)
        transaction.set_rollback(True)
    with platform_context():
        assert not DueItem.objects.exists()


def test_a_hotel_does_not_touch_another_hotels_items(hotel: Hotel, other_hotel: Hotel) -> None:
    item = schedule(other_hotel)
    with hotel_context(hotel):
        due.cancel(kind="reminder", ids=[item])
    with platform_context():
        assert DueItem.objects.get().hotel_id == other_hotel.id


def test_a_suspended_hotels_items_wait_until_it_is_resumed(hotel: Hotel, sent: Sent) -> None:
    schedule(hotel)
    services.suspend_hotel(hotel_id=hotel.id)
    late = schedule(hotel)  # an import that was still running
    assert tick() == 0
    services.resume_hotel(hotel_id=hotel.id)
    assert tick() == 2
    assert str(late) in {item for _hotel, ids in sent for item in ids}


def test_a_broker_that_is_away_gives_the_items_back(hotel: Hotel, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def apply_async(self, **_message: object) -> None:
            raise OperationalError("no broker")

    monkeypatch.setitem(current_app.tasks, "tests.due", Away())
    schedule(hotel)
    assert tick() == 0
    with platform_context():
        assert DueItem.objects.get().claim_at <= timezone.now()


def test_a_kind_that_nobody_handles_is_refused(in_hotel: Hotel) -> None:
    with pytest.raises(LookupError, match=r"due\.register"):
        due.schedule(kind="unheard-of", items=[(uuid7(), timezone.now())])


@pytest.mark.django_db(transaction=True)
def test_two_ticks_at_once_share_the_work(hotel: Hotel) -> None:
    for _ in range(4):
        schedule(hotel)
    with platform_context(), transaction.atomic():
        first = dispatch.claim(limit=3)
        connection_of_first = connection.connection
        assert connection_of_first is not None
        claimed = _claim_elsewhere()
    assert sum(len(batch.ids) for batch in first) == 3
    assert claimed == 1


def _claim_elsewhere() -> int:
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

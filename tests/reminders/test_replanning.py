"""A rule that changes, or a hotel's clock: what has not gone follows, whatever was planned before."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, time
from typing import Any

import pytest
from django.db import connection, transaction

from reminders import tasks
from reminders.models import Reminder, Reservation, Rule
from reminders.planning import planner, replan
from reminders.planning.replan import replan_all
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.models import DueItem, Hotel
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


@pytest.fixture
def week(in_hotel: Hotel, clock: Clock) -> Rule:
    """The only rule that is active: 7 days before arrival, at 10:00, which is 09:00 UTC."""
    clock("2030-05-01 12:00")
    Rule.objects.exclude(offset_days=7).update(is_active=False)
    return Rule.objects.get(offset_days=7)


def change(rule: Rule, **fields: Any) -> None:
    Rule.objects.filter(id=rule.id).update(**fields)
    replan_all()


def planned() -> tuple[str, str, str]:
    reminder = Reminder.objects.get()
    return reminder.status, reminder.skip_reason, f"{reminder.planned_for:%Y-%m-%d %H:%M}"


def due() -> list[str]:
    return [f"{item.due_at:%Y-%m-%d %H:%M}" for item in DueItem.objects.filter(kind="reminder")]


def test_what_is_ahead_goes_by_the_new_offset(book: Book, week: Rule) -> None:
    book("R1", "2030-05-20", "2030-05-22")
    change(week, offset_days=5, send_at=time(8))
    assert planned() == ("scheduled", "", "2030-05-15 07:00")
    assert due() == ["2030-05-15 07:00"]
    change(week, offset_days=19)  # at 08:00 of today, in whose window we are
    assert planned() == ("scheduled", "", "2030-05-01 07:00")
    assert due() == ["2030-05-01 12:00"]


@pytest.mark.parametrize(
    ("policy", "after", "waits"),
    [("skip", ("skipped", "late_booking"), []), ("send_now", ("scheduled", ""), ["2030-05-01 12:00"])],
)
def test_a_rule_whose_moment_is_over_for_a_guest_does_by_its_policy(
    book: Book, week: Rule, policy: str, after: tuple[str, str], waits: list[str]
) -> None:
    book("R1", "2030-05-09", "2030-05-22")
    change(week, offset_days=10, late_policy=policy)
    assert planned() == (*after, "2030-04-29 09:00")
    assert due() == waits
    replan_all()
    assert planned() == (*after, "2030-04-29 09:00")


def test_what_waits_for_its_worker_is_not_skipped_by_planning_again(book: Book, week: Rule) -> None:
    """Late by the rule, and asked for by a person or its policy."""
    book("R1", "2030-05-05", "2030-05-07")
    Reminder.objects.update(
        status="scheduled", skip_reason="", planned_for=datetime(2030, 5, 1, 12, tzinfo=UTC)
    )
    replan_all()
    assert planned() == ("scheduled", "", "2030-05-01 12:00")


def test_a_rule_that_sleeps_and_wakes_has_what_is_ahead_again(book: Book, week: Rule) -> None:
    book("R1", "2030-05-20", "2030-05-22")
    change(week, is_active=False)
    assert planned()[0] == "cancelled"
    assert due() == []
    change(week, is_active=True)
    assert planned() == ("scheduled", "", "2030-05-13 09:00")
    assert due() == ["2030-05-13 09:00"]


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"offset_days": 200}, ("scheduled", "", "2030-11-28 10:00")),
        ({"offset_days": 30}, ("cancelled", "", "2030-11-18 10:00")),
        ({"is_active": False}, ("cancelled", "", "2030-11-18 10:00")),
    ],
)
def test_guests_who_left_long_ago_follow_a_rule_that_reaches_far(
    book: Book, week: Rule, clock: Clock, fields: dict[str, Any], after: tuple[str, str, str]
) -> None:
    Rule.objects.filter(id=week.id).update(anchor="departure", offset_days=190)
    book("R1", "2030-05-10", "2030-05-12")
    clock("2030-10-01 12:00")
    change(week, **fields)
    assert planned() == after


def test_a_new_rule_reaches_guests_who_left_long_ago(book: Book, week: Rule, clock: Clock) -> None:
    book("R1", "2030-05-10", "2030-05-12")
    Reminder.objects.all().delete()
    clock("2030-10-01 12:00")
    change(week, anchor="departure", offset_days=190)
    assert planned() == ("scheduled", "", "2030-11-18 10:00")


def test_a_clock_that_changes_while_the_hotel_is_suspended_counts_when_it_is_resumed(
    book: Book, week: Rule, in_hotel: Hotel
) -> None:
    book("R1", "2030-05-20", "2030-05-22")
    with platform_context():
        hotel = services.suspend_hotel(hotel_id=in_hotel.id)
        hotel.time_zone = "America/Santiago"
        hotel.save(update_fields=["time_zone"])
        hotel = services.resume_hotel(hotel_id=in_hotel.id)
    with hotel_context(hotel):
        [wish] = DueItem.objects.filter(kind="replan_all")
        assert wish.claim_at == wish.due_at
        tasks.replan_all([str(wish.item_id)])
        assert planned() == ("scheduled", "", "2030-05-13 14:00")


def test_a_wish_that_comes_meanwhile_is_kept(book: Book, week: Rule, in_hotel: Hotel) -> None:
    for _time in range(2):
        with platform_context():
            Hotel.objects.get(id=in_hotel.id).save(update_fields=["time_zone"])
    first, second = DueItem.objects.filter(kind="replan_all").order_by("item_id")
    tasks.replan_all([str(first.item_id)])
    assert [item.item_id for item in DueItem.objects.filter(kind="replan_all")] == [second.item_id]


@pytest.mark.django_db(transaction=True)
def test_what_was_being_stored_when_a_rule_changed_follows_too(
    week: Rule, book: Book, in_hotel: Hotel
) -> None:
    """An import plans by the rules as it found them, and may commit after all others were planned anew."""
    planned_by_the_old, may_commit = threading.Event(), threading.Event()

    def importing() -> None:
        try:
            with hotel_context(in_hotel), transaction.atomic():
                book("R1", "2030-05-20", "2030-05-22")
                planned_by_the_old.set()
                may_commit.wait(10)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        stored = pool.submit(importing)
        assert planned_by_the_old.wait(10)
        change(week, offset_days=5)
        [wish] = DueItem.objects.filter(kind="replan_all")
        may_commit.set()
        stored.result(10)
    assert planned()[2] == "2030-05-13 09:00"
    tasks.replan_all([str(wish.item_id)])
    assert planned()[2] == "2030-05-15 09:00"
    assert not DueItem.objects.filter(kind="replan_all").exists()


@pytest.mark.django_db(transaction=True)
def test_replan_request_during_a_replan_of_the_same_reservation_is_kept(
    week: Rule, book: Book, in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rule.objects.filter(id=week.id).update(guests="new")
    changed = book("R1", "2030-05-20", "2030-05-22", guest_email="ana@example.com")
    other = book("R2", "2030-06-20", "2030-06-22", guest_email="ana@example.com")
    DueItem.objects.filter(kind="replan_reservation").delete()
    replan.schedule_replan_of_other_stays(changed, addresses=["ana@example.com"])
    is_planning, may_finish = threading.Event(), threading.Event()

    def plan_slowly(reservations: Sequence[Reservation], *, now: datetime) -> None:
        is_planning.set()
        may_finish.wait(10)

    def worker() -> None:
        try:
            with hotel_context(in_hotel):
                replan.replan_requested([other.id])
        finally:
            connection.close()

    def client() -> None:
        try:
            with hotel_context(in_hotel):
                replan.schedule_replan_of_other_stays(changed, addresses=["ana@example.com"])
        finally:
            connection.close()

    monkeypatch.setattr(planner, "plan_reminders", plan_slowly)
    with ThreadPoolExecutor(2) as pool:
        replanned = pool.submit(worker)
        assert is_planning.wait(10)
        requested = pool.submit(client)
        assert not wait(
            [requested], timeout=0.5
        ).done  # it waits for the due item that the worker has removed
        may_finish.set()
        replanned.result(10)
        requested.result(10)
    assert [item.item_id for item in DueItem.objects.filter(kind="replan_reservation")] == [other.id]

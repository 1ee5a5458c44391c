"""Tests of planning reminders again after a change to a rule, to the time zone, or to another stay of the guest."""

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
    """Return the only active rule. The other rules are deactivated.

    The rule sends a reminder 7 days before arrival, at 10:00 in Lisbon, which is 09:00 UTC.
    """
    clock("2030-05-01 12:00")
    Rule.objects.exclude(offset_days=7).update(is_active=False)
    return Rule.objects.get(offset_days=7)


def change_rule(rule: Rule, **fields: Any) -> None:
    Rule.objects.filter(id=rule.id).update(**fields)
    replan_all()


def planned_reminder() -> tuple[str, str, str]:
    """Return the status, the skip reason and the planned time of the only reminder in the database."""
    reminder = Reminder.objects.get()
    return reminder.status, reminder.skip_reason, f"{reminder.planned_for:%Y-%m-%d %H:%M}"


def due_times() -> list[str]:
    return [f"{item.due_at:%Y-%m-%d %H:%M}" for item in DueItem.objects.filter(kind="reminder")]


def test_changed_offset_of_a_rule_moves_its_scheduled_reminders(book: Book, week: Rule) -> None:
    book("R1", "2030-05-20", "2030-05-22")
    change_rule(week, offset_days=5, send_at=time(8))
    assert planned_reminder() == ("scheduled", "", "2030-05-15 07:00")
    assert due_times() == ["2030-05-15 07:00"]
    change_rule(week, offset_days=19)  # planned for 08:00 today, so sent now
    assert planned_reminder() == ("scheduled", "", "2030-05-01 07:00")
    assert due_times() == ["2030-05-01 12:00"]


@pytest.mark.parametrize(
    ("policy", "status", "due"),
    [("skip", ("skipped", "late_booking"), []), ("send_now", ("scheduled", ""), ["2030-05-01 12:00"])],
)
def test_rule_change_to_a_time_in_the_past_follows_the_late_booking_policy(
    book: Book, week: Rule, policy: str, status: tuple[str, str], due: list[str]
) -> None:
    book("R1", "2030-05-09", "2030-05-22")
    change_rule(week, offset_days=10, late_policy=policy)
    assert planned_reminder() == (*status, "2030-04-29 09:00")
    assert due_times() == due
    replan_all()
    assert planned_reminder() == (*status, "2030-04-29 09:00")


def test_replan_keeps_a_reminder_that_staff_or_the_late_booking_policy_scheduled(
    book: Book, week: Rule
) -> None:
    """The rule's planned time has passed, but staff or the late-booking policy scheduled the reminder for later.

    Replanning must not skip this reminder.
    """
    book("R1", "2030-05-05", "2030-05-07")
    Reminder.objects.update(
        status="scheduled", skip_reason="", planned_for=datetime(2030, 5, 1, 12, tzinfo=UTC)
    )
    replan_all()
    assert planned_reminder() == ("scheduled", "", "2030-05-01 12:00")


def test_deactivation_of_a_rule_cancels_its_reminders_until_the_rule_is_activated_again(
    book: Book, week: Rule
) -> None:
    book("R1", "2030-05-20", "2030-05-22")
    change_rule(week, is_active=False)
    assert planned_reminder()[0] == "cancelled"
    assert due_times() == []
    change_rule(week, is_active=True)
    assert planned_reminder() == ("scheduled", "", "2030-05-13 09:00")
    assert due_times() == ["2030-05-13 09:00"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"offset_days": 200}, ("scheduled", "", "2030-11-28 10:00")),
        ({"offset_days": 30}, ("cancelled", "", "2030-11-18 10:00")),
        ({"is_active": False}, ("cancelled", "", "2030-11-18 10:00")),
    ],
)
def test_change_of_a_rule_with_a_long_offset_updates_reminders_of_past_stays(
    book: Book, week: Rule, clock: Clock, fields: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    Rule.objects.filter(id=week.id).update(anchor="departure", offset_days=190)
    book("R1", "2030-05-10", "2030-05-12")
    clock("2030-10-01 12:00")
    change_rule(week, **fields)
    assert planned_reminder() == expected


def test_new_rule_with_a_long_offset_schedules_reminders_for_past_stays(
    book: Book, week: Rule, clock: Clock
) -> None:
    book("R1", "2030-05-10", "2030-05-12")
    Reminder.objects.all().delete()
    clock("2030-10-01 12:00")
    change_rule(week, anchor="departure", offset_days=190)
    assert planned_reminder() == ("scheduled", "", "2030-11-18 10:00")


def test_time_zone_change_of_a_suspended_hotel_takes_effect_after_it_is_resumed(
    book: Book, week: Rule, in_hotel: Hotel
) -> None:
    book("R1", "2030-05-20", "2030-05-22")
    with platform_context():
        hotel = services.suspend_hotel(hotel_id=in_hotel.id)
        hotel.time_zone = "America/Santiago"
        hotel.save(update_fields=["time_zone"])
        hotel = services.resume_hotel(hotel_id=in_hotel.id)
    with hotel_context(hotel):
        [request] = DueItem.objects.filter(kind="replan_all")
        assert request.claim_at == request.due_at
        tasks.replan_all([str(request.item_id)])
        assert planned_reminder() == ("scheduled", "", "2030-05-13 14:00")


def test_replan_task_deletes_only_the_due_items_whose_ids_it_received(
    book: Book, week: Rule, in_hotel: Hotel
) -> None:
    for _time in range(2):
        with platform_context():
            Hotel.objects.get(id=in_hotel.id).save(update_fields=["time_zone"])
    first, second = DueItem.objects.filter(kind="replan_all").order_by("item_id")
    tasks.replan_all([str(first.item_id)])
    assert [item.item_id for item in DueItem.objects.filter(kind="replan_all")] == [second.item_id]


@pytest.mark.django_db(transaction=True)
def test_reservation_committed_after_the_first_replan_is_planned_again_by_the_second_replan(
    week: Rule, book: Book, in_hotel: Hotel
) -> None:
    """The reservation is planned with the old rule, and is committed after the first replan.

    The first replan can't see the reservation, so it requests a second replan.
    """
    has_planned, may_commit = threading.Event(), threading.Event()

    def import_reservation() -> None:
        try:
            with hotel_context(in_hotel), transaction.atomic():
                book("R1", "2030-05-20", "2030-05-22")
                has_planned.set()
                may_commit.wait(10)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        imported = pool.submit(import_reservation)
        assert has_planned.wait(10)
        change_rule(week, offset_days=5)
        [request] = DueItem.objects.filter(kind="replan_all")
        may_commit.set()
        imported.result(10)
    assert planned_reminder()[2] == "2030-05-13 09:00"
    tasks.replan_all([str(request.item_id)])
    assert planned_reminder()[2] == "2030-05-15 09:00"
    assert not DueItem.objects.filter(kind="replan_all").exists()


@pytest.mark.django_db(transaction=True)
def test_replan_requested_while_the_reservation_is_being_replanned_is_not_lost(
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
        # The new planning request waits, because the worker has removed the due item but has not committed yet.
        assert not wait([requested], timeout=0.5).done
        may_finish.set()
        replanned.result(10)
        requested.result(10)
    assert [item.item_id for item in DueItem.objects.filter(kind="replan_reservation")] == [other.id]

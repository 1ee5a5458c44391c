"""Tests of rules that apply only to new or returning guests, and of the daily e-mail limit per guest."""

from collections.abc import Callable
from datetime import time

import pytest

from reminders import tasks
from reminders.errors import ReminderStateError
from reminders.models import Reminder, Reservation, Rule, Suppression
from reminders.reservations.services import cancel_reservation
from reminders.sending import batch
from reminders.services.reminders import send_now
from tenants.models import DueItem, Hotel
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]
ANA = "ana@example.com"


@pytest.fixture
def welcome(in_hotel: Hotel) -> Rule:
    """Return the only active rule, which sends a reminder one day before arrival to returning guests only."""
    Rule.objects.update(is_active=False)
    return Rule.objects.create(name="welcome back", offset_days=1, send_at=time(10), guests="returning")


def statuses() -> dict[str, str]:
    """Plan the reminders of all reservations whose due items request it. Return the status of each reminder."""
    requested = DueItem.objects.filter(kind="replan_reservation").values_list("item_id", flat=True)
    tasks.replan_reservations([str(id_) for id_ in requested])
    assert not requested.all().exists()
    return dict(Reminder.objects.values_list("reservation__external_id", "status"))


def test_guest_with_an_earlier_stay_and_the_same_address_is_a_returning_guest(
    book: Book, clock: Clock, welcome: Rule
) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-04-10", "2030-04-12", guest_email=ANA, status="checked_out")
    book("R2", "2030-05-10", "2030-05-12", guest_email="ANA@example.com")
    book("R3", "2030-05-10", "2030-05-12", guest_email="eva@example.com")
    book("R4", "2030-05-20", "2030-05-22", guest_email="eva@example.com", adults=1)
    # R3 and R6 are one visit, because R6 begins when R3 ends. R4 and R5 are a second, later visit.
    book("R5", "2030-05-22", "2030-05-24", guest_email="eva@example.com")
    book("R6", "2030-05-12", "2030-05-14", guest_email="eva@example.com")
    book("R7", "2030-05-10", "2030-05-12", guest_email="")
    book("R8", "2030-05-30", "2030-06-01", guest_email="")
    assert statuses() == {"R2": "scheduled", "R4": "scheduled", "R5": "scheduled"}


@pytest.mark.parametrize("status", ["cancelled", "no_show"])
def test_guest_with_only_cancelled_stays_and_no_shows_is_not_a_returning_guest(
    book: Book, clock: Clock, welcome: Rule, status: str
) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-04-10", "2030-04-12", guest_email=ANA, status=status)
    book("R2", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert statuses() == {}
    Rule.objects.filter(id=welcome.id).update(guests="new")
    book("R2", "2030-05-10", "2030-05-12", guest_email=ANA, adults=1)
    assert statuses() == {"R2": "scheduled"}


def test_changed_stay_causes_replanning_of_the_other_stays_of_the_guest(
    book: Book, clock: Clock, welcome: Rule
) -> None:
    clock("2030-05-01 12:00")
    book("R2", "2030-06-10", "2030-06-12", guest_email=ANA)
    earlier = book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert statuses() == {"R2": "scheduled"}
    cancel_reservation(reservation_id=earlier.id)
    assert statuses() == {"R2": "cancelled"}
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert statuses() == {"R2": "scheduled"}
    book("R1", "2030-05-10", "2030-05-12", guest_email="eva@example.com")
    assert statuses() == {"R2": "cancelled"}


def test_guest_filter_of_a_rule_is_checked_again_before_sending(
    book: Book, clock: Clock, welcome: Rule, smtp: MailServer
) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-04-10", "2030-04-12", guest_email=ANA, status="checked_out")
    book("R2", "2030-05-10", "2030-05-12", guest_email=ANA)
    Reservation.objects.filter(external_id="R1").update(status="cancelled")  # without planning
    clock("2030-05-09 09:30")
    batch.send_due(list(Reminder.objects.values_list("id", flat=True)))
    assert Reminder.objects.get().skip_reason == "reservation_changed"
    assert smtp.accepted == []


@pytest.fixture
def three_rules(in_hotel: Hotel, clock: Clock) -> None:
    """Create the rules A, B and C, which the column `order` sorts as C, A, B.

    Each rule sends a reminder one day before arrival, and allows a guest one e-mail per day.
    """
    clock("2030-05-01 12:00")
    Rule.objects.update(is_active=False)
    rule = Rule.objects.get(offset_days=1)
    for name, order in (("A", 20), ("B", 30), ("C", 10)):
        copy = Rule.objects.create(name=name, offset_days=1, send_at=time(10), order=order, daily_limit=1)
        template = rule.templates.first()
        assert template is not None
        template.pk, template.rule, template._state.adding = None, copy, True
        template.id = copy.id
        template.save()


def send_all(clock: Clock, now: str = "2030-05-09 09:30", *, one_by_one: bool = False) -> dict[str, str]:
    clock(now)
    ids = list(
        Reminder.objects.order_by("rule__name", "reservation__external_id").values_list("id", flat=True)
    )
    for chunk in [[id_] for id_ in ids] if one_by_one else [ids]:
        batch.send_due(chunk)
    return {
        f"{r.rule.name} {r.reservation.external_id}": r.skip_reason or r.status
        for r in Reminder.objects.select_related("rule", "reservation")
    }


@pytest.mark.parametrize("one_by_one", [True, False])
@pytest.mark.usefixtures("three_rules")
def test_daily_limit_of_one_email_allows_only_the_reminder_of_the_first_rule(
    book: Book, clock: Clock, smtp: MailServer, one_by_one: bool
) -> None:
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert send_all(clock, one_by_one=one_by_one) == {
        "A R1": "daily_limit", "B R1": "daily_limit", "C R1": "sent"
    }  # fmt: skip
    assert len(smtp.to(ANA)) == 1


@pytest.mark.usefixtures("three_rules")
def test_daily_limit_counts_reminders_of_all_reservations_of_an_email_address(
    book: Book, clock: Clock, smtp: MailServer
) -> None:
    Rule.objects.exclude(name="C").update(is_active=False)
    for number in ("R1", "R2", "R3"):
        book(number, "2030-05-10", "2030-05-12", guest_email=ANA)
    book("R4", "2030-05-10", "2030-05-12", guest_email="eva@example.com")
    assert send_all(clock) == {"C R1": "sent", "C R2": "daily_limit", "C R3": "daily_limit", "C R4": "sent"}
    assert len(smtp.accepted) == 2


@pytest.mark.usefixtures("three_rules")
def test_send_now_for_a_guest_at_the_daily_limit_raises_an_error(
    book: Book, clock: Clock, smtp: MailServer
) -> None:
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    send_all(clock)
    with pytest.raises(ReminderStateError, match="the maximum number of e-mails for today"):
        send_now(reminder_id=Reminder.objects.get(rule__name="A").id)


@pytest.mark.usefixtures("three_rules")
def test_daily_limit_does_not_count_skipped_reminders(book: Book, clock: Clock, smtp: MailServer) -> None:
    """The reminders of the rules A, B and C are due on the same day, and rule C comes first.

    Rules A and C allow one e-mail a day for each guest, so the reminder of rule A is skipped. Rule B allows two e-mails
    a day, so its reminder is sent.
    """
    Rule.objects.filter(name="B").update(daily_limit=2)
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert send_all(clock) == {"A R1": "daily_limit", "B R1": "sent", "C R1": "sent"}


@pytest.mark.usefixtures("three_rules")
def test_reminder_of_a_rule_without_a_daily_limit_is_always_sent(
    book: Book, clock: Clock, smtp: MailServer
) -> None:
    Rule.objects.filter(name="B").update(daily_limit=None)
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert send_all(clock) == {"A R1": "daily_limit", "B R1": "sent", "C R1": "sent"}


@pytest.mark.usefixtures("three_rules")
def test_daily_limit_counts_each_day_separately(book: Book, clock: Clock, smtp: MailServer) -> None:
    Rule.objects.filter(name="A").update(offset_days=2)
    Rule.objects.filter(name="B").update(is_active=False)
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    Reminder.objects.filter(rule__name="A").update(status="sent", transmission_started_at="2030-05-08 09:30Z")
    assert send_all(clock) == {"A R1": "sent", "C R1": "sent"}


@pytest.mark.usefixtures("three_rules")
def test_daily_limit_does_not_count_cancelled_reminders(book: Book, clock: Clock, smtp: MailServer) -> None:
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    Reminder.objects.filter(rule__name="C").update(status="cancelled", skip_reason="manual")
    assert send_all(clock) == {"A R1": "sent", "B R1": "daily_limit", "C R1": "manual"}


@pytest.mark.usefixtures("three_rules")
def test_reminders_to_a_suppressed_address_are_skipped_with_the_reason_suppressed(
    book: Book, clock: Clock, smtp: MailServer
) -> None:
    Suppression.objects.create(email=ANA, reason="manual")
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert set(send_all(clock).values()) == {"suppressed"}

"""Rules for new or returning guests, and how many mails one guest gets on a day."""

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

pytestmark = pytest.mark.django_db(transaction=True)
Book = Callable[..., Reservation]
ANA = "ana@example.com"


@pytest.fixture
def welcome(in_hotel: Hotel) -> Rule:
    """The only rule: a day before, for guests who were here before."""
    Rule.objects.update(is_active=False)
    return Rule.objects.create(name="welcome back", offset_days=1, send_at=time(10), guests="returning")


def planned() -> dict[str, str]:
    """Return the status of the reminder of each reservation, after the requested replans."""
    requested = DueItem.objects.filter(kind="replan_reservation").values_list("item_id", flat=True)
    tasks.replan_reservations([str(id_) for id_ in requested])
    assert not requested.all().exists()
    return dict(Reminder.objects.values_list("reservation__external_id", "status"))


def test_a_returning_guest_is_an_address_that_left_an_earlier_stay(
    book: Book, clock: Clock, welcome: Rule
) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-04-10", "2030-04-12", guest_email=ANA, status="checked_out")
    book("R2", "2030-05-10", "2030-05-12", guest_email="ANA@example.com")
    book("R3", "2030-05-10", "2030-05-12", guest_email="eva@example.com")
    book("R4", "2030-05-20", "2030-05-22", guest_email="eva@example.com", adults=1)
    book("R5", "2030-05-22", "2030-05-24", guest_email="eva@example.com")  # one visit with R4, but after R3
    book("R6", "2030-05-12", "2030-05-14", guest_email="eva@example.com")  # one visit with R3
    book("R7", "2030-05-10", "2030-05-12", guest_email="")
    book("R8", "2030-05-30", "2030-06-01", guest_email="")
    assert planned() == {"R2": "scheduled", "R4": "scheduled", "R5": "scheduled"}


@pytest.mark.parametrize("status", ["cancelled", "no_show"])
def test_a_stay_that_was_none_makes_nobody_a_returning_guest(
    book: Book, clock: Clock, welcome: Rule, status: str
) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-04-10", "2030-04-12", guest_email=ANA, status=status)
    book("R2", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert planned() == {}
    Rule.objects.filter(id=welcome.id).update(guests="new")
    book("R2", "2030-05-10", "2030-05-12", guest_email=ANA, adults=1)
    assert planned() == {"R2": "scheduled"}


def test_what_becomes_of_one_stay_moves_the_mails_of_the_others(
    book: Book, clock: Clock, welcome: Rule
) -> None:
    clock("2030-05-01 12:00")
    book("R2", "2030-06-10", "2030-06-12", guest_email=ANA)
    earlier = book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert planned() == {"R2": "scheduled"}
    cancel_reservation(reservation_id=earlier.id)
    assert planned() == {"R2": "cancelled"}
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert planned() == {"R2": "scheduled"}
    book("R1", "2030-05-10", "2030-05-12", guest_email="eva@example.com")
    assert planned() == {"R2": "cancelled"}


def test_who_returns_is_looked_at_once_more_before_it_goes(
    book: Book, clock: Clock, welcome: Rule, smtp: MailServer
) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-04-10", "2030-04-12", guest_email=ANA, status="checked_out")
    book("R2", "2030-05-10", "2030-05-12", guest_email=ANA)
    Reservation.objects.filter(external_id="R1").update(status="cancelled")  # not by our doors
    clock("2030-05-09 09:30")
    batch.send_due(list(Reminder.objects.values_list("id", flat=True)))
    assert Reminder.objects.get().skip_reason == "reservation_changed"
    assert smtp.accepted == []


@pytest.fixture
def three_rules(in_hotel: Hotel, clock: Clock) -> None:
    """Three mails of one morning, in the order C, A, B; each a day before arrival."""
    clock("2030-05-01 12:00")
    Rule.objects.update(is_active=False)
    rule = Rule.objects.get(offset_days=1)
    for name, order in (("A", 20), ("B", 30), ("C", 10)):
        mine = Rule.objects.create(name=name, offset_days=1, send_at=time(10), order=order, guest_cap=1)
        template = rule.templates.first()
        assert template is not None
        template.pk, template.rule, template._state.adding = None, mine, True
        template.id = mine.id
        template.save()


def went(clock: Clock, moment: str = "2030-05-09 09:30", *, one_by_one: bool = False) -> dict[str, str]:
    clock(moment)
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
def test_a_guest_gets_the_mail_that_comes_first_and_no_more_than_the_cap(
    book: Book, clock: Clock, smtp: MailServer, one_by_one: bool
) -> None:
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert went(clock, one_by_one=one_by_one) == {
        "A R1": "guest_cap", "B R1": "guest_cap", "C R1": "sent"
    }  # fmt: skip
    assert len(smtp.to(ANA)) == 1


@pytest.mark.usefixtures("three_rules")
def test_a_family_with_three_rooms_gets_one_mail(book: Book, clock: Clock, smtp: MailServer) -> None:
    Rule.objects.exclude(name="C").update(is_active=False)
    for number in ("R1", "R2", "R3"):
        book(number, "2030-05-10", "2030-05-12", guest_email=ANA)
    book("R4", "2030-05-10", "2030-05-12", guest_email="eva@example.com")
    assert went(clock) == {"C R1": "sent", "C R2": "guest_cap", "C R3": "guest_cap", "C R4": "sent"}
    assert len(smtp.accepted) == 2


@pytest.mark.usefixtures("three_rules")
def test_who_asks_for_one_mail_too_many_is_told_at_once(book: Book, clock: Clock, smtp: MailServer) -> None:
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    went(clock)
    with pytest.raises(ReminderStateError, match="the maximum number of e-mails for today"):
        send_now(reminder_id=Reminder.objects.get(rule__name="A").id)


@pytest.mark.usefixtures("three_rules")
def test_only_what_really_goes_counts(book: Book, clock: Clock, smtp: MailServer) -> None:
    """B allows two a day, and A does not go because of C: C and B go, in whatever order they are looked at."""
    Rule.objects.filter(name="B").update(guest_cap=2)
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert went(clock) == {"A R1": "guest_cap", "B R1": "sent", "C R1": "sent"}


@pytest.mark.usefixtures("three_rules")
def test_a_rule_without_a_cap_always_goes(book: Book, clock: Clock, smtp: MailServer) -> None:
    Rule.objects.filter(name="B").update(guest_cap=None)
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert went(clock) == {"A R1": "guest_cap", "B R1": "sent", "C R1": "sent"}


@pytest.mark.usefixtures("three_rules")
def test_another_day_counts_anew(book: Book, clock: Clock, smtp: MailServer) -> None:
    Rule.objects.filter(name="A").update(offset_days=2)
    Rule.objects.filter(name="B").update(is_active=False)
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    Reminder.objects.filter(rule__name="A").update(status="sent", transmission_started_at="2030-05-08 09:30Z")
    assert went(clock) == {"A R1": "sent", "C R1": "sent"}


@pytest.mark.usefixtures("three_rules")
def test_a_mail_that_does_not_go_leaves_room_for_the_next(book: Book, clock: Clock, smtp: MailServer) -> None:
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    Reminder.objects.filter(rule__name="C").update(status="cancelled", skip_reason="manual")
    assert went(clock) == {"A R1": "sent", "B R1": "guest_cap", "C R1": "manual"}


@pytest.mark.usefixtures("three_rules")
def test_a_suppressed_guest_is_named_as_such(book: Book, clock: Clock, smtp: MailServer) -> None:
    Suppression.objects.create(email=ANA, reason="manual")
    book("R1", "2030-05-10", "2030-05-12", guest_email=ANA)
    assert set(went(clock).values()) == {"suppressed"}

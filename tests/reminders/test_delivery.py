"""Each reminder goes once, or says why it did not: a real SMTP server that refuses, hangs and hangs up."""

import smtplib
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import icalendar
import pytest
from django.utils import timezone

from audit.models import Event
from dlq.models import Failure
from reminders.mail import message_builder
from reminders.models import Reminder, Reservation, Rule, Suppression, Template
from reminders.reservations.services import cancel_reservation
from reminders.sending import batch, claims, outcomes
from reminders.sending.retries import retry_failed
from reminders.services.reminders import send_now, settle_unknown
from tenants.models import DueItem, Hotel
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]
DAY_BEFORE = "2030-05-09 09:00"  # 10:00 in Lisbon


@pytest.fixture
def due_one(book: Book, clock: Clock) -> Reminder:
    """A reminder that is due: one day before an arrival."""
    clock("2030-05-01 12:00")
    reservation = book("R1", "2030-05-10", "2030-05-12")
    clock(DAY_BEFORE)
    return Reminder.objects.get(reservation=reservation, planned_for__gt="2030-05-09T00:00Z")


def send(*reminders: Reminder) -> dict[str, int]:
    return {name: n for name, n in batch.send_due([reminder.id for reminder in reminders]).items() if n}


def queued(reminder: Reminder) -> bool:
    return DueItem.objects.filter(kind="reminder", item_id=reminder.id).exists()


def test_it_sends_what_is_due_and_leaves_its_mark(due_one: Reminder, smtp: MailServer) -> None:
    assert queued(due_one)
    assert send(due_one) == {"sent": 1}
    due_one.refresh_from_db()
    assert (due_one.status, due_one.recipient, due_one.attempts) == ("sent", "r1@example.com", 1)
    assert due_one.sent_at is not None
    assert not queued(due_one)
    assert Event.objects.filter(event="reminder.sent", subject_id=str(due_one.id)).count() == 1


def test_it_writes_in_the_guests_language_with_the_hotels_name(
    book: Book, clock: Clock, smtp: MailServer, in_hotel: Hotel
) -> None:
    clock("2030-05-09 12:00")
    for number, language in (("R1", "es"), ("R2", "pt-br"), ("R3", "fi"), ("R4", "")):
        book(number, "2030-05-10", "2030-05-12", language=language, guest_name="José Íñigo 🏖")
    send(*Reminder.objects.all())
    subjects = {message["X-Envelope-To"]: message["Subject"] for message in smtp.accepted}
    assert "todo está listo" in subjects["r1@example.com"]
    assert "tudo pronto" in subjects["r2@example.com"]
    assert "everything is ready" in subjects["r3@example.com"]
    assert "everything is ready" in subjects["r4@example.com"]  # the hotel's language
    [mail] = smtp.to("r1@example.com")
    assert mail["From"].addresses[0].display_name == in_hotel.name
    html, text = mail.get_body(["html"]), mail.get_body(["plain"])
    assert html is not None
    assert text is not None
    for part in (html, text):
        assert "José Íñigo 🏖" in part.get_content()
        assert "viernes, 10 de mayo de 2030" in part.get_content()
    [ics] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    event: Any
    [event] = icalendar.Calendar.from_ical(ics.get_content()).walk("VEVENT")
    assert event["DTSTART"].dt.isoformat() == "2030-05-10"
    assert event["DTEND"].dt.isoformat() == "2030-05-12"


def test_it_never_sends_twice_however_often_it_is_asked(due_one: Reminder, smtp: MailServer) -> None:
    send(due_one)
    assert send(due_one) == {}
    assert len(smtp.accepted) == 1


def test_of_two_mails_at_one_moment_the_rule_with_the_lower_number_comes_first(
    book: Book, clock: Clock, smtp: MailServer
) -> None:
    clock("2030-05-01 12:00")
    Rule.objects.update(offset_days=1)
    book("R1", "2030-05-10", "2030-05-12")
    first, second = Rule.objects.filter(reminders__isnull=False).order_by("reminders__id")
    for order, rule in ((20, first), (10, second)):  # against the order in which they were planned
        Rule.objects.filter(id=rule.id).update(order=order)
        Template.objects.filter(rule=rule).update(subject=str(order))
    clock(DAY_BEFORE)
    send(*Reminder.objects.all())
    assert [mail["Subject"] for mail in smtp.accepted] == ["10", "20"]


def test_it_does_not_send_before_its_time(due_one: Reminder, clock: Clock, smtp: MailServer) -> None:
    clock("2030-05-09 08:59")
    assert send(due_one) == {}
    assert queued(due_one)


def test_it_does_not_send_after_a_cancellation(due_one: Reminder, smtp: MailServer) -> None:
    cancel_reservation(reservation_id=due_one.reservation_id)
    assert send(due_one) == {}
    due_one.refresh_from_db()
    assert due_one.status == "cancelled"
    assert not queued(due_one)


def test_it_does_not_send_when_the_cancellation_comes_after_the_claim(
    due_one: Reminder, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hand-over looks at the reservation's version in the statement that lets the mail go."""
    build = message_builder.build_message

    def cancel_first(reminder: Reminder, **rest: Any) -> Any:
        cancel_reservation(reservation_id=reminder.reservation_id)
        return build(reminder, **rest)

    monkeypatch.setattr(batch, "build_message", cancel_first)
    assert send(due_one) == {"postponed": 1}
    assert smtp.accepted == []
    assert send(due_one) == {"skipped": 1}
    due_one.refresh_from_db()
    assert (due_one.status, due_one.skip_reason) == ("skipped", "reservation_changed")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: Reservation.objects.filter(id=r.reservation_id).update(guest_email=""), "no_email"),
        (lambda r: Suppression.objects.create(email="r1@example.com", reason="bounced"), "suppressed"),
        (lambda r: Reminder.objects.filter(id=r.id).update(send_until="2030-05-09T08:00Z"), "window_passed"),
    ],
    ids=["no address", "suppressed address", "window passed"],
)  # fmt: skip
def test_it_skips_and_says_why(
    due_one: Reminder, smtp: MailServer, change: Callable[[Reminder], object], reason: str
) -> None:
    change(due_one)
    assert send(due_one) == {"skipped": 1}
    due_one.refresh_from_db()
    assert (due_one.status, due_one.skip_reason) == ("skipped", reason)
    assert not queued(due_one)
    assert smtp.accepted == []


def test_it_hands_a_refusal_for_good_to_the_failures_from_where_it_can_be_sent_again(
    due_one: Reminder, smtp: MailServer
) -> None:
    smtp.refuse("r1@example.com", times=2)
    assert send(due_one) == {"failed": 1}
    due_one.refresh_from_db()
    assert due_one.status == "failed"
    assert "550" in due_one.error_message
    failure = Failure.objects.get()
    assert failure.status == "permanent"
    assert failure.payload == {"reminder": str(due_one.id), "to": "r1@example.com"}
    with pytest.raises(Exception, match="550"):
        retry_failed(failure)
    due_one.refresh_from_db()
    assert due_one.status == "failed"
    retry_failed(failure)
    due_one.refresh_from_db()
    assert due_one.status == "sent"
    assert len(smtp.accepted) == 1


def test_it_sends_again_to_a_corrected_address(due_one: Reminder, smtp: MailServer) -> None:
    smtp.refuse("r1@example.com")
    send(due_one)
    failure = Failure.objects.get()
    failure.payload["to"] = "right@example.com"
    retry_failed(failure)
    assert [message["To"] for message in smtp.accepted] == ["right@example.com"]


def test_it_tries_again_later_after_a_passing_refusal(due_one: Reminder, smtp: MailServer) -> None:
    smtp.refuse("r1@example.com", "451 4.7.1 greylisted", times=1)
    assert send(due_one) == {"postponed": 1}
    due_one.refresh_from_db()
    assert due_one.status == "scheduled"
    wait = DueItem.objects.get(item_id=due_one.id).due_at - timezone.now()
    assert timedelta(seconds=40) < wait < timedelta(seconds=80)
    assert send(due_one) == {"sent": 1}


def test_it_goes_on_with_the_others_after_a_refusal(book: Book, clock: Clock, smtp: MailServer) -> None:
    clock("2030-05-09 12:00")
    for number in ("R1", "R2", "R3"):
        book(number, "2030-05-10", "2030-05-12")
    smtp.refuse("r1@example.com")
    smtp.refuse("r2@example.com", "450 4.2.0 busy")
    assert send(*Reminder.objects.filter(status="scheduled")) == {"failed": 1, "postponed": 1, "sent": 1}


def test_it_waits_for_a_mail_server_that_is_away(
    book: Book, clock: Clock, settings: Any, in_hotel: Hotel
) -> None:
    clock("2030-05-09 12:00")
    for number in ("R1", "R2", "R3"):
        book(number, "2030-05-10", "2030-05-12")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    outcomes = send(*Reminder.objects.filter(status="scheduled"))
    assert outcomes["postponed"] == 2  # one met it, the others did not have to
    assert set(Reminder.objects.filter(skip_reason="").values_list("status", flat=True)) == {"scheduled"}


def test_it_knows_that_it_does_not_know(due_one: Reminder, smtp: MailServer) -> None:
    """The server takes the mail and hangs up before it says so: never again by itself."""
    smtp.drop()
    assert send(due_one) == {"unknown": 1}
    due_one.refresh_from_db()
    assert due_one.status == "unknown"
    assert not queued(due_one)
    assert send(due_one) == {}
    assert len(smtp.accepted) == 1
    settle_unknown(reminder_id=due_one.id, was_sent=False)
    send_now(reminder_id=due_one.id)
    send(due_one)
    assert len({message["Message-ID"] for message in smtp.accepted}) == 1
    assert len(smtp.accepted) == 2


def test_it_does_not_know_after_a_server_that_hangs(
    due_one: Reminder, smtp: MailServer, settings: Any
) -> None:
    settings.EMAIL_TIMEOUT = 0.3
    smtp.hang(1.5)
    assert send(due_one) == {"unknown": 1}


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


def kill(*_args: object, **_kwargs: object) -> None:
    raise Killed


def stale(reminder: Reminder) -> None:
    past = timezone.now() - timedelta(days=36_500)
    Reminder.objects.filter(id=reminder.id).update(claimed_at=past)
    Reminder.objects.filter(id=reminder.id, transmission_started_at__isnull=False).update(
        transmission_started_at=past
    )


def test_it_sends_after_a_worker_died_before_the_mail_left(
    due_one: Reminder, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "start_transmission", kill)
        with pytest.raises(Killed):
            send(due_one)
    due_one.refresh_from_db()
    assert due_one.status == "sending"
    assert queued(due_one)
    assert send(due_one) == {}  # whoever has the claim may be alive
    stale(due_one)
    assert send(due_one) == {"sent": 1}
    assert len(smtp.accepted) == 1


def test_it_does_not_send_again_after_a_worker_died_when_the_mail_had_left(
    due_one: Reminder, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "finish_sent", kill)
        with pytest.raises(Killed):
            send(due_one)
    assert len(smtp.accepted) == 1
    stale(due_one)
    assert send(due_one) == {"unknown": 1}
    due_one.refresh_from_db()
    assert due_one.status == "unknown"
    assert not queued(due_one)
    assert Event.objects.filter(event="reminder.unknown").count() == 1


def test_a_slow_worker_sends_nothing_once_another_has_its_claim(due_one: Reminder, smtp: MailServer) -> None:
    claimed = claims.claim_due([due_one.id], now=timezone.now())
    assert claimed is not None
    [with_claim] = claimed.reminders
    stale(due_one)
    assert send(due_one) == {"sent": 1}
    with pytest.raises(outcomes.ClaimLost):
        outcomes.start_transmission(with_claim, recipient="r1@example.com")


def test_it_sends_a_mail_whose_lines_begin_with_dots(book: Book, clock: Clock, smtp: MailServer) -> None:
    clock("2030-05-09 12:00")
    book("R1", "2030-05-10", "2030-05-12", guest_name="Ana")
    Template.objects.update(text=".\n..\n.end {{ guest_name }}\n.")
    send(*Reminder.objects.filter(status="scheduled"))
    body = smtp.accepted[0].get_body(["plain"])
    assert body is not None
    assert body.get_content().splitlines()[:4] == [".", "..", ".end Ana", "."]


def test_it_gives_an_unknown_id_no_second_thought(in_hotel: Hotel, smtp: MailServer) -> None:
    assert not any(batch.send_due([uuid.uuid4()]).values())


def test_smtplib_still_asks_its_data_method_for_the_mail() -> None:
    """The transport tells how far it got by overriding it."""
    assert "self.data(" in __import__("inspect").getsource(smtplib.SMTP.sendmail)

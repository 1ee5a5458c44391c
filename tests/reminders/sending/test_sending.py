"""Tests of sending due reminders to an SMTP server that accepts, rejects, hangs or disconnects.

Each reminder is either sent exactly once, or the reason why the reminder was not sent is stored.
"""

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
DAY_BEFORE_ARRIVAL = "2030-05-09 09:00"  # 10:00 in Lisbon


@pytest.fixture
def reminder(book: Book, clock: Clock) -> Reminder:
    """Return a reminder that is due now. The arrival of the guest is tomorrow."""
    clock("2030-05-01 12:00")
    reservation = book("R1", "2030-05-10", "2030-05-12")
    clock(DAY_BEFORE_ARRIVAL)
    return Reminder.objects.get(reservation=reservation, planned_for__gt="2030-05-09T00:00Z")


def send(*reminders: Reminder) -> dict[str, int]:
    counts = batch.send_due([reminder.id for reminder in reminders])
    return {outcome: number for outcome, number in counts.items() if number}


def is_queued(reminder: Reminder) -> bool:
    return DueItem.objects.filter(kind="reminder", item_id=reminder.id).exists()


def test_sending_a_reminder_stores_recipient_and_audit_event_and_removes_the_due_item(
    reminder: Reminder, smtp: MailServer
) -> None:
    assert is_queued(reminder)
    assert send(reminder) == {"sent": 1}
    reminder.refresh_from_db()
    assert (reminder.status, reminder.recipient, reminder.attempts) == ("sent", "r1@example.com", 1)
    assert reminder.sent_at is not None
    assert not is_queued(reminder)
    event = Event.objects.get(event="reminder.sent", subject_id=str(reminder.id))
    assert event.fields == {"number": "R1", "rule": "1 day before arrival", "attempts": 1}


def test_reminder_contains_the_hotel_name_and_uses_the_language_of_the_guest(
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
    assert "everything is ready" in subjects["r4@example.com"]  # the hotel's language is English
    [message] = smtp.to("r1@example.com")
    assert message["From"].addresses[0].display_name == in_hotel.name
    html, text = message.get_body(["html"]), message.get_body(["plain"])
    assert html is not None
    assert text is not None
    for part in (html, text):
        assert "José Íñigo 🏖" in part.get_content()
        assert "viernes, 10 de mayo de 2030" in part.get_content()
    [calendar] = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    event: Any
    [event] = icalendar.Calendar.from_ical(calendar.get_content()).walk("VEVENT")
    assert event["DTSTART"].dt.isoformat() == "2030-05-10"
    assert event["DTEND"].dt.isoformat() == "2030-05-12"


def test_reminder_that_was_already_sent_is_not_sent_again(reminder: Reminder, smtp: MailServer) -> None:
    send(reminder)
    assert send(reminder) == {}
    assert len(smtp.accepted) == 1


def test_reminders_due_at_the_same_time_are_sent_in_rule_order(
    book: Book, clock: Clock, smtp: MailServer
) -> None:
    clock("2030-05-01 12:00")
    Rule.objects.update(offset_days=1)
    book("R1", "2030-05-10", "2030-05-12")
    first, second = Rule.objects.filter(reminders__isnull=False).order_by("reminders__id")
    for order, rule in ((20, first), (10, second)):  # the reverse of the planning order
        Rule.objects.filter(id=rule.id).update(order=order)
        Template.objects.filter(rule=rule).update(subject=str(order))
    clock(DAY_BEFORE_ARRIVAL)
    send(*Reminder.objects.all())
    assert [message["Subject"] for message in smtp.accepted] == ["10", "20"]


def test_reminder_is_not_sent_before_its_planned_time(
    reminder: Reminder, clock: Clock, smtp: MailServer
) -> None:
    clock("2030-05-09 08:59")
    assert send(reminder) == {}
    assert is_queued(reminder)


def test_reminder_of_a_cancelled_reservation_is_not_sent(reminder: Reminder, smtp: MailServer) -> None:
    cancel_reservation(reservation_id=reminder.reservation_id)
    assert send(reminder) == {}
    reminder.refresh_from_db()
    assert reminder.status == "cancelled"
    assert not is_queued(reminder)


def test_reminder_is_not_sent_if_the_reservation_is_cancelled_after_the_claim(
    reminder: Reminder, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SQL statement that starts the transmission checks that the reservation has not changed since the claim."""
    build_message = message_builder.build_message

    def cancel_and_build(reminder: Reminder, **arguments: Any) -> Any:
        cancel_reservation(reservation_id=reminder.reservation_id)
        return build_message(reminder, **arguments)

    monkeypatch.setattr(batch, "build_message", cancel_and_build)
    assert send(reminder) == {"postponed": 1}
    assert smtp.accepted == []
    assert send(reminder) == {"skipped": 1}
    reminder.refresh_from_db()
    assert (reminder.status, reminder.skip_reason) == ("skipped", "reservation_changed")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: Reservation.objects.filter(id=r.reservation_id).update(guest_email=""), "no_email"),
        (lambda r: Suppression.objects.create(email="r1@example.com", reason="bounced"), "suppressed"),
        (lambda r: Reminder.objects.filter(id=r.id).update(send_until="2030-05-09T08:00Z"), "window_passed"),
    ],
    ids=["no address", "suppressed address", "window passed"],
)  # fmt: skip
def test_due_reminder_is_skipped_without_a_usable_address_or_after_its_send_window(
    reminder: Reminder, smtp: MailServer, change: Callable[[Reminder], object], reason: str
) -> None:
    change(reminder)
    assert send(reminder) == {"skipped": 1}
    reminder.refresh_from_db()
    assert (reminder.status, reminder.skip_reason) == ("skipped", reason)
    assert not is_queued(reminder)
    assert smtp.accepted == []


def test_message_that_the_server_rejects_creates_a_failure_that_can_be_retried(
    reminder: Reminder, smtp: MailServer
) -> None:
    smtp.refuse("r1@example.com", times=2)
    assert send(reminder) == {"failed": 1}
    reminder.refresh_from_db()
    assert reminder.status == "failed"
    assert "550" in reminder.error_message
    failure = Failure.objects.get()
    assert failure.status == "permanent"
    assert failure.payload == {"reminder": str(reminder.id), "to": "r1@example.com"}
    with pytest.raises(Exception, match="550"):
        retry_failed(failure)
    reminder.refresh_from_db()
    assert reminder.status == "failed"
    retry_failed(failure)
    reminder.refresh_from_db()
    assert reminder.status == "sent"
    assert len(smtp.accepted) == 1


def test_retry_of_a_failed_reminder_uses_the_address_that_staff_entered(
    reminder: Reminder, smtp: MailServer
) -> None:
    smtp.refuse("r1@example.com")
    send(reminder)
    failure = Failure.objects.get()
    failure.payload["to"] = "right@example.com"
    retry_failed(failure)
    assert [message["To"] for message in smtp.accepted] == ["right@example.com"]


def test_reminder_is_sent_later_if_the_server_replies_with_a_temporary_error(
    reminder: Reminder, smtp: MailServer
) -> None:
    smtp.refuse("r1@example.com", "451 4.7.1 greylisted", times=1)
    assert send(reminder) == {"postponed": 1}
    reminder.refresh_from_db()
    assert reminder.status == "scheduled"
    delay = DueItem.objects.get(item_id=reminder.id).due_at - timezone.now()
    assert timedelta(seconds=40) < delay < timedelta(seconds=80)
    assert send(reminder) == {"sent": 1}


def test_refused_recipient_does_not_prevent_reminders_to_other_recipients(
    book: Book, clock: Clock, smtp: MailServer
) -> None:
    clock("2030-05-09 12:00")
    for number in ("R1", "R2", "R3"):
        book(number, "2030-05-10", "2030-05-12")
    smtp.refuse("r1@example.com")
    smtp.refuse("r2@example.com", "450 4.2.0 busy")
    counts = send(*Reminder.objects.filter(status="scheduled"))
    assert counts == {"failed": 1, "postponed": 1, "sent": 1}


def test_all_reminders_are_postponed_if_the_mail_server_is_unavailable(
    book: Book, clock: Clock, settings: Any, in_hotel: Hotel
) -> None:
    clock("2030-05-09 12:00")
    for number in ("R1", "R2", "R3"):
        book(number, "2030-05-10", "2030-05-12")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    counts = send(*Reminder.objects.filter(status="scheduled"))
    assert counts == {"server_unavailable": 1, "postponed": 2}  # the worker tried to connect once
    assert set(Reminder.objects.filter(skip_reason="").values_list("status", flat=True)) == {"scheduled"}


def test_reminder_is_not_sent_again_if_the_server_disconnects_before_its_reply(
    reminder: Reminder, smtp: MailServer
) -> None:
    smtp.drop()
    assert send(reminder) == {"unknown": 1}
    reminder.refresh_from_db()
    assert reminder.status == "unknown"
    assert not is_queued(reminder)
    assert send(reminder) == {}
    assert len(smtp.accepted) == 1
    # If a person sends the reminder again, both messages have the same Message-ID.
    settle_unknown(reminder_id=reminder.id, was_sent=False)
    send_now(reminder_id=reminder.id)
    send(reminder)
    assert len({message["Message-ID"] for message in smtp.accepted}) == 1
    assert len(smtp.accepted) == 2


def test_reminder_has_an_unknown_outcome_if_the_server_does_not_reply_in_time(
    reminder: Reminder, smtp: MailServer, settings: Any
) -> None:
    settings.EMAIL_TIMEOUT = 1.5
    smtp.hang(3)
    assert send(reminder) == {"unknown": 1}


class Killed(BaseException):
    """An exception that simulates a worker killed by SIGKILL. No code of the project catches the exception."""


def kill(*_args: object, **_kwargs: object) -> None:
    raise Killed


def expire_claim(reminder: Reminder) -> None:
    """Make the claim of the reminder expire.

    The start of the claim is set to a hundred years ago. If the transmission has started, its start is changed too.
    """
    past = timezone.now() - timedelta(days=36_500)
    Reminder.objects.filter(id=reminder.id).update(claimed_at=past)
    started = Reminder.objects.filter(id=reminder.id, transmission_started_at__isnull=False)
    started.update(transmission_started_at=past)


def test_second_worker_sends_the_reminder_of_a_worker_killed_before_the_transmission(
    reminder: Reminder, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "start_transmission", kill)
        with pytest.raises(Killed):
            send(reminder)
    reminder.refresh_from_db()
    assert reminder.status == "sending"
    assert is_queued(reminder)
    assert send(reminder) == {}  # the worker may be alive until its claim has expired
    expire_claim(reminder)
    assert send(reminder) == {"sent": 1}
    assert len(smtp.accepted) == 1


def test_outcome_is_unknown_if_the_worker_was_killed_during_the_transmission(
    reminder: Reminder, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "finish_sent", kill)
        with pytest.raises(Killed):
            send(reminder)
    assert len(smtp.accepted) == 1
    expire_claim(reminder)
    assert send(reminder) == {"unknown": 1}
    reminder.refresh_from_db()
    assert reminder.status == "unknown"
    assert not is_queued(reminder)
    assert Event.objects.filter(event="reminder.unknown").count() == 1


def test_slow_worker_that_has_lost_its_claim_cannot_start_the_transmission(
    reminder: Reminder, smtp: MailServer
) -> None:
    claimed = claims.claim_due([reminder.id], now=timezone.now())
    assert claimed is not None
    [of_slow_worker] = claimed.reminders
    expire_claim(reminder)
    assert send(reminder) == {"sent": 1}
    with pytest.raises(outcomes.ClaimLost):
        outcomes.start_transmission(of_slow_worker, recipient="r1@example.com")


def test_message_with_lines_that_begin_with_dots_arrives_unchanged(
    book: Book, clock: Clock, smtp: MailServer
) -> None:
    clock("2030-05-09 12:00")
    book("R1", "2030-05-10", "2030-05-12", guest_name="Ana")
    Template.objects.update(text=".\n..\n.end {{ guest_name }}\n.")
    send(*Reminder.objects.filter(status="scheduled"))
    body = smtp.accepted[0].get_body(["plain"])
    assert body is not None
    assert body.get_content().splitlines()[:4] == [".", "..", ".end Ana", "."]


def test_due_item_with_an_unknown_reminder_id_is_ignored(in_hotel: Hotel, smtp: MailServer) -> None:
    assert not any(batch.send_due([uuid.uuid4()]).values())

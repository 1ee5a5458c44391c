"""Who asks for a reminder to go at once is told at once if it would not."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.utils import translation

from dlq.retries.attempts import retry_due
from dlq.services import capture
from reminders.errors import MailDeferred, ReminderStateError
from reminders.models import Reminder, Reservation, Rule
from reminders.sending import batch, claims
from reminders.sending.batch import Batch
from reminders.sending.retries import retry_failed
from reminders.services.reminders import cancel_reminder, send_now, settle_unknown
from reminders.services.suppressions import add_suppression
from tenants.models import DueItem
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


@pytest.fixture
def waiting(book: Book, clock: Clock) -> Reminder:
    clock("2030-05-01 12:00")
    return book("R1", "2030-05-10", "2030-05-12").reminders.get(rule__offset_days=7)


@pytest.mark.parametrize(
    ("of_reservation", "of_rule", "said"),
    [
        ({"status": "cancelled"}, {}, "The status of the reservation is “cancelled”"),
        ({"status": "no_show"}, {}, "The status of the reservation is “no-show”"),
        ({"arrival": date(2030, 5, 11)}, {}, "The arrival date has changed"),
        ({"guest_email": ""}, {}, "The guest has no e-mail address"),
        ({}, {"is_active": False}, "The rule of this reminder is inactive"),
        ({}, {"min_nights": 5}, "The rule does not apply"),
        ({}, {"guests": "returning"}, "The rule does not apply"),
    ],
)
def test_one_that_would_be_skipped_is_refused(
    waiting: Reminder, of_reservation: dict[str, Any], of_rule: dict[str, Any], said: str
) -> None:
    Reservation.objects.update(**of_reservation or {"guest_name": "Ana"})
    Rule.objects.update(**of_rule or {"order": 10})
    with pytest.raises(ReminderStateError, match=said):
        send_now(reminder_id=waiting.id)
    waiting.refresh_from_db()
    assert waiting.planned_for.isoformat() == "2030-05-03T09:00:00+00:00"


def test_a_suppressed_guest_is_named_as_the_reason(waiting: Reminder) -> None:
    add_suppression(email="R1@example.com")
    with pytest.raises(ReminderStateError, match="The guest's address is on the suppression list"):
        send_now(reminder_id=waiting.id)


@pytest.mark.parametrize(
    ("status", "act", "english", "spanish"),
    [
        ("sent", send_now, "This reminder was already sent.", "Este recordatorio ya se envió."),
        ("sent", cancel_reminder, "This reminder was already sent.", "Este recordatorio ya se envió."),
        ("sending", cancel_reminder, "Try again in a minute", "Inténtelo de nuevo en un minuto"),
        ("unknown", send_now, "First mark it as sent or as not sent", "Primero márquelo como enviado"),
    ],
)
def test_a_status_that_does_not_allow_it_is_said_in_the_readers_language(
    waiting: Reminder, status: str, act: Callable[..., Reminder], english: str, spanish: str
) -> None:
    Reminder.objects.update(status=status)
    for language, said in (("en", english), ("es", spanish)):
        with translation.override(language), pytest.raises(ReminderStateError, match=said) as refused:
            act(reminder_id=waiting.id)
        assert refused.value.extra == {"status_now": status}


def test_only_an_unknown_one_is_settled(waiting: Reminder) -> None:
    with pytest.raises(ReminderStateError, match="This reminder is scheduled"):
        settle_unknown(reminder_id=waiting.id, was_sent=True)


def test_a_failed_one_goes_by_its_failure_which_ends_with_it(waiting: Reminder, smtp: MailServer) -> None:
    Reminder.objects.filter(id=waiting.id).update(status="failed")
    failure = capture(
        kind="message", source="reminders", name="reminders.send", retry=False, error=OSError("550 no such mailbox"),
        payload={"reminder": str(waiting.id), "to": "r1@example.com"},
    )  # fmt: skip
    send_now(reminder_id=waiting.id)
    retry_due(failure_id=failure.id)
    waiting.refresh_from_db()
    failure.refresh_from_db()
    assert (waiting.status, failure.status) == ("sent", "resolved")
    assert len(smtp.to("r1@example.com")) == 1


def test_a_failed_one_whose_failure_was_discarded_goes_by_itself(waiting: Reminder) -> None:
    Reminder.objects.filter(id=waiting.id).update(status="failed")
    assert send_now(reminder_id=waiting.id).status == "scheduled"


class Killed(BaseException):
    """Nothing catches it: the worker is gone."""


def killed(*_args: object, **_kwargs: object) -> None:
    raise Killed


def test_a_failed_one_whose_worker_dies_while_it_is_sent_again_is_not_lost(
    waiting: Reminder, smtp: MailServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    Reminder.objects.filter(id=waiting.id).update(status="failed")
    failure = capture(
        kind="message", source="reminders", name="reminders.send", retry=False, error=OSError("550 no such mailbox"),
        payload={"reminder": str(waiting.id), "to": "r1@example.com"},
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(Batch, "send", killed)
        with pytest.raises(Killed):
            retry_failed(failure)
    waiting.refresh_from_db()
    assert waiting.status == "sending"
    with pytest.raises(MailDeferred, match="The reminder is being sent"):  # so its failure stays open
        retry_failed(failure)
    [item] = DueItem.objects.filter(item_id=waiting.id)
    assert waiting.claimed_at
    assert item.due_at > waiting.claimed_at + claims.CLAIM_TIMEOUT
    Reminder.objects.update(
        claimed_at=datetime(2020, 1, 1, tzinfo=UTC)
    )  # the database looks at its own clock
    clock("2030-05-01 12:05")
    assert batch.send_due([waiting.id]) == {"sent": 1}
    assert len(smtp.to("r1@example.com")) == 1
    assert not DueItem.objects.filter(item_id=waiting.id).exists()

"""Tests of the services that send a reminder, cancel a reminder, or settle a reminder whose outcome is unknown."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from dlq.models import Failure
from dlq.retries.runner import retry_due
from dlq.services import capture
from reminders.errors import MailDeferred, ReminderStateError
from reminders.models import Reminder, Reservation, Rule
from reminders.sending import batch, claims, outcomes
from reminders.sending.batch import Batch
from reminders.sending.outcomes import FAILURE_NAME
from reminders.sending.retries import retry_failed
from reminders.services.reminders import cancel_reminder, send_now, settle_unknown
from reminders.services.suppressions import add_suppression
from tenants.context import Actor, actor_context
from tenants.models import DueItem
from tests.programs import run_python
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


@pytest.fixture
def reminder(book: Book, clock: Clock) -> Reminder:
    clock("2030-05-01 12:00")
    return book("R1", "2030-05-10", "2030-05-12").reminders.get(rule__offset_days=7)


@pytest.mark.parametrize(
    ("of_reservation", "of_rule", "message"),
    [
        ({"status": "cancelled"}, {}, "because the status of the reservation is “cancelled”"),
        ({"status": "no_show"}, {}, "because the status of the reservation is “no-show”"),
        ({"arrival": date(2030, 5, 11)}, {}, "The arrival date has changed"),
        ({"guest_email": ""}, {}, "The guest has no e-mail address"),
        ({}, {"is_active": False}, "The rule of this reminder is inactive"),
        ({}, {"min_nights": 5}, "The rule does not apply"),
        ({}, {"guests": "returning"}, "The rule does not apply"),
    ],
)
def test_send_now_of_a_reminder_that_workers_would_skip_raises_an_error(
    reminder: Reminder, of_reservation: dict[str, Any], of_rule: dict[str, Any], message: str
) -> None:
    Reservation.objects.update(**of_reservation or {"guest_name": "Ana"})
    Rule.objects.update(**of_rule or {"order": 10})
    with pytest.raises(ReminderStateError, match=message):
        send_now(reminder_id=reminder.id)
    reminder.refresh_from_db()
    assert reminder.planned_for.isoformat() == "2030-05-03T09:00:00+00:00"


def test_send_now_to_a_suppressed_address_raises_an_error_that_names_the_suppression_list(
    reminder: Reminder,
) -> None:
    add_suppression(email="R1@example.com")
    with pytest.raises(ReminderStateError, match="The guest's address is on the suppression list"):
        send_now(reminder_id=reminder.id)


@pytest.mark.parametrize(
    ("status", "operation", "english", "spanish"),
    [
        ("sent", send_now, "This reminder has already been sent.", "Este recordatorio ya se envió."),
        ("sent", cancel_reminder, "This reminder has already been sent.", "Este recordatorio ya se envió."),
        ("sending", cancel_reminder, "Try again in a minute", "Inténtelo de nuevo en un minuto"),
        ("unknown", send_now, "First mark it as sent or as not sent", "Primero márquelo como enviado"),
    ],
)
def test_operation_that_the_status_forbids_raises_an_error_in_the_users_language(
    reminder: Reminder, status: str, operation: Callable[..., Reminder], english: str, spanish: str
) -> None:
    Reminder.objects.update(status=status)
    for language, message in (("en", english), ("es", spanish)):
        with translation.override(language), pytest.raises(ReminderStateError, match=message) as refused:
            operation(reminder_id=reminder.id)
        assert refused.value.extra == {"status_now": status}


def test_marking_a_scheduled_reminder_as_sent_raises_an_error(reminder: Reminder) -> None:
    with pytest.raises(ReminderStateError, match="This reminder is scheduled"):
        settle_unknown(reminder_id=reminder.id, was_sent=True)


def test_send_now_retries_a_failed_reminder_and_resolves_its_failure(
    reminder: Reminder, smtp: MailServer
) -> None:
    Reminder.objects.filter(id=reminder.id).update(status="failed")
    captured = capture(
        is_task=False, source="reminders", name="reminders.send", retry=False, error=OSError("550 no such mailbox"),
        payload={"reminder": str(reminder.id), "to": "r1@example.com"},
    )  # fmt: skip
    send_now(reminder_id=reminder.id)
    retry_due(failure_id=captured.id)
    reminder.refresh_from_db()
    failure = Failure.objects.get(id=captured.id)
    assert (reminder.status, failure.status) == ("sent", "resolved")
    assert len(smtp.to("r1@example.com")) == 1


def test_failed_reminder_without_an_open_failure_is_scheduled_by_send_now(
    reminder: Reminder,
) -> None:
    Reminder.objects.filter(id=reminder.id).update(status="failed")
    assert send_now(reminder_id=reminder.id).status == "scheduled"


class Killed(BaseException):
    """An exception that simulates a worker killed by SIGKILL. No code of the project catches the exception."""


def kill(*_args: object, **_kwargs: object) -> None:
    raise Killed


def test_retry_whose_worker_was_killed_is_completed_by_another_worker(
    reminder: Reminder, smtp: MailServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    Reminder.objects.filter(id=reminder.id).update(status="failed")
    captured = capture(
        is_task=False, source="reminders", name="reminders.send", retry=False, error=OSError("550 no such mailbox"),
        payload={"reminder": str(reminder.id), "to": "r1@example.com"},
    )  # fmt: skip
    failure = Failure.objects.get(id=captured.id)
    with monkeypatch.context() as patch:
        patch.setattr(Batch, "send", kill)
        with pytest.raises(Killed):
            retry_failed(failure)
    reminder.refresh_from_db()
    assert reminder.status == "sending"
    with pytest.raises(MailDeferred, match="The reminder is being sent"):  # the failure stays open
        retry_failed(failure)
    [item] = DueItem.objects.filter(item_id=reminder.id)
    assert reminder.claimed_at
    assert item.due_at > reminder.claimed_at + claims.CLAIM_TIMEOUT
    # The claim must have expired by the clock of the database, which is not simulated.
    Reminder.objects.update(claimed_at=datetime(2020, 1, 1, tzinfo=UTC))
    clock("2030-05-01 12:05")
    assert batch.send_due([reminder.id]) == {"sent": 1}
    assert len(smtp.to("r1@example.com")) == 1
    assert not DueItem.objects.filter(item_id=reminder.id).exists()


def test_retry_handler_of_reminders_is_registered_when_django_starts() -> None:
    """The check runs in a new process, because the test process may already have imported the handler."""
    program = (
        "import django; django.setup(); from dlq.kinds.registry import find_kind; "
        f"assert find_kind({FAILURE_NAME!r}).handler"
    )
    done = run_python("-c", program, environment=os.environ)
    assert done.returncode == 0, done.stderr


def test_due_item_of_a_reminder_keeps_the_person_who_requested_its_sending(reminder: Reminder) -> None:
    def initiator() -> str | None:
        return DueItem.objects.get(kind="reminder", item_id=reminder.id).initiator

    ana = Actor("user", "0198c0de-0000-7000-8000-000000000001", "ana")
    with actor_context(ana):
        assert initiator() is None
        send_now(reminder_id=reminder.id)
    assert initiator() == f"user:{ana.id}"
    reminder.refresh_from_db()
    claims.claim_due([reminder.id], now=reminder.planned_for)
    reminder.refresh_from_db()
    outcomes.postpone([reminder], delay=timedelta(minutes=1))
    assert initiator() == f"user:{ana.id}"

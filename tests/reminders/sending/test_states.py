"""Tests of reminder statuses. Each event is applied to a reminder in each status."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from reminders.models import Reminder, ReminderStatus, Reservation
from reminders.sending import claims, outcomes
from reminders.sending.outcomes import AcceptedMessage, ClaimLost
from reminders.sending.states import CLAIM_EVENTS, TRANSITIONS, SendingEvent, apply_event
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def reminder(book: Book, clock: Clock) -> Reminder:
    clock("2030-05-01 12:00")
    return book("R1", "2030-05-10", "2030-05-12").reminders.earliest("planned_for")


def claim(reminder: Reminder) -> None:
    """Make the reminder due and let a worker claim it."""
    Reminder.objects.update(planned_for=LONG_AGO, claimed_at=timezone.now())
    claims.claim_due([reminder.id], now=timezone.now())


def reclaim(reminder: Reminder) -> None:
    """Let the claim of the reminder expire before the transmission starts, and claim the reminder again."""
    Reminder.objects.update(claimed_at=LONG_AGO, transmission_started_at=None)
    claims.claim_due([reminder.id], now=timezone.now())


def start_transmission(reminder: Reminder) -> None:
    with suppress(ClaimLost):
        outcomes.start_transmission(reminder, recipient="r1@example.com")


def accept(reminder: Reminder) -> None:
    outcomes.finish_sent(AcceptedMessage.now(reminder), sent_ids=[reminder.id])


IN_THE_DATABASE: dict[SendingEvent, Callable[[Reminder], None]] = {
    SendingEvent.CLAIMED: claim,
    SendingEvent.RECLAIMED: reclaim,
    SendingEvent.TRANSMISSION_STARTED: start_transmission,
    SendingEvent.ACCEPTED: accept,
}


def apply(event: SendingEvent, reminder: Reminder) -> None:
    if event in IN_THE_DATABASE:
        IN_THE_DATABASE[event](reminder)
    else:
        apply_event(reminder, event)


@pytest.mark.parametrize("event", list(SendingEvent))
@pytest.mark.parametrize("status", list(ReminderStatus))
def test_status_after_each_sending_event_matches_the_transition_table(
    reminder: Reminder, status: ReminderStatus, event: SendingEvent
) -> None:
    Reminder.objects.update(status=status)
    reminder.refresh_from_db()
    apply(event, reminder)
    assert Reminder.objects.get(id=reminder.id).status == TRANSITIONS.get((status, event), status)


@pytest.mark.parametrize(
    "event", sorted({*CLAIM_EVENTS, SendingEvent.TRANSMISSION_STARTED, SendingEvent.ACCEPTED})
)
def test_event_from_a_worker_that_has_lost_its_claim_changes_nothing(
    reminder: Reminder, event: SendingEvent
) -> None:
    Reminder.objects.update(status=ReminderStatus.SENDING)
    reminder.refresh_from_db()
    Reminder.objects.update(attempts=reminder.attempts + 1)
    before = Reminder.objects.filter(id=reminder.id).values().get()
    apply(event, reminder)
    assert Reminder.objects.filter(id=reminder.id).values().get() == before


def test_apply_event_returns_whether_it_changed_the_reminder(reminder: Reminder) -> None:
    assert apply_event(reminder, SendingEvent.CANCELLED_MANUALLY)
    assert not apply_event(reminder, SendingEvent.CANCELLED_MANUALLY)


def test_transmission_that_starts_after_a_reservation_change_raises_claim_lost(
    reminder: Reminder,
) -> None:
    Reminder.objects.update(status=ReminderStatus.SENDING)
    reminder = Reminder.objects.select_related("reservation").get(id=reminder.id)
    Reservation.objects.update(updated_at=LONG_AGO)
    with pytest.raises(ClaimLost):
        outcomes.start_transmission(reminder, recipient="r1@example.com")
    assert Reminder.objects.get(id=reminder.id).transmission_started_at is None

"""Services that staff and API clients use to change individual reminders."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.registry import EventType
from audit.services import record
from dlq import services as failures
from dlq.models import WAITING_STATUSES, Failure
from reminders import due_kinds, events
from reminders.errors import ReminderNotFound, ReminderStateError
from reminders.models import Reminder, ReminderStatus, SkipReason
from reminders.planning.guest_history import returning_guests
from reminders.planning.schedule import expected_statuses
from reminders.selectors import is_suppressed
from reminders.sending.eligibility import manual_deadline, skip_reason
from reminders.sending.outcomes import FAILURE_NAME
from reminders.sending.states import SendingEvent, apply_event, is_allowed
from tenants.queue import due

#: The error messages for operations that the status of a reminder does not allow. Each message says what to do.
_STATUS_MESSAGES = {
    ReminderStatus.SCHEDULED: gettext_lazy(
        "This reminder is scheduled and has not been sent yet. Use “Send now” to send it immediately."
    ),
    ReminderStatus.SENDING: gettext_lazy("This reminder is being sent. Try again in a minute."),
    ReminderStatus.SENT: gettext_lazy("This reminder has already been sent."),
    ReminderStatus.UNKNOWN: gettext_lazy(
        "It is unknown whether this reminder was sent. First mark it as sent or as not sent."
    ),
    ReminderStatus.SKIPPED: gettext_lazy("This reminder was skipped. Use “Send now” to send it."),
    ReminderStatus.CANCELLED: gettext_lazy("This reminder is cancelled. Use “Send now” to send it."),
    ReminderStatus.FAILED: gettext_lazy("This reminder failed. Use “Send again” to send it."),
}

#: For each skip reason, the message that explains why a reminder can't be sent now and what to do.
_SKIP_MESSAGES = {
    SkipReason.WINDOW_PASSED: gettext_lazy("The stay has begun, so it is too late for this reminder."),
    SkipReason.NO_EMAIL: gettext_lazy(
        "The guest has no e-mail address. Add an address to the reservation, then send the reminder."
    ),
    SkipReason.SUPPRESSED: gettext_lazy(
        "The guest's address is on the suppression list. Remove it from the list if the guest wants e-mails again."
    ),
}


def cancel_reminder(*, reminder_id: uuid.UUID) -> Reminder:
    """Cancel a scheduled reminder. Later changes of the reservation do not schedule the reminder again.

    Raises ReminderNotFound, or ReminderStateError unless the reminder is scheduled.
    """
    with transaction.atomic():
        reminder = _lock(reminder_id)
        _apply_or_raise(reminder, SendingEvent.CANCELLED_MANUALLY, skip_reason=SkipReason.MANUAL)
        due.cancel(kind=due_kinds.REMINDER, ids=[reminder.id])
        _record(events.REMINDER_CANCELLED, reminder, was=reminder.status)
    return _refreshed(reminder)


def send_now(*, reminder_id: uuid.UUID) -> Reminder:
    """Make a reminder due immediately, even outside of its send window.

    If the dead-letter queue contains an open failure of the reminder, the failure is retried. Raises ReminderNotFound.
    Raises ReminderStateError if the reminder may have been sent, or if a worker would skip the reminder, for example
    because the guest has no e-mail address.
    """
    now = timezone.now()
    with transaction.atomic():
        reminder = _lock(reminder_id)
        if not is_allowed(reminder.status, SendingEvent.SEND_REQUESTED):
            raise _state_error(reminder)
        reminder.send_until = manual_deadline(reminder, now=now)
        if obstacle := _obstacle(reminder, now=now):
            raise ReminderStateError(obstacle, status_now=reminder.status)
        if reminder.status == ReminderStatus.FAILED and (failure := _open_failure(reminder)):
            failures.retry(failure_id=failure.id)
        else:
            _apply_or_raise(
                reminder,
                SendingEvent.SEND_REQUESTED,
                skip_reason="",
                planned_for=min(reminder.planned_for, now),
                send_until=reminder.send_until,
            )
            due.schedule(kind=due_kinds.REMINDER, items=[(reminder.id, now)], keep_initiator=True)
        _record(events.REMINDER_SEND_REQUESTED, reminder, was=reminder.status)
    return _refreshed(reminder)


def settle_unknown(*, reminder_id: uuid.UUID, was_sent: bool) -> Reminder:
    """Store whether a reminder with an unknown outcome was sent. If the reminder was not sent, `send_now` can send it.

    Raises ReminderNotFound, or ReminderStateError unless the status is `unknown`.
    """
    with transaction.atomic():
        reminder = _lock(reminder_id)
        if was_sent:
            _apply_or_raise(reminder, SendingEvent.SETTLED_AS_SENT, sent_at=F("transmission_started_at"))
        else:
            _apply_or_raise(reminder, SendingEvent.SETTLED_AS_NOT_SENT, skip_reason=SkipReason.MANUAL)
        _record(events.REMINDER_SETTLED, reminder, outcome="was sent" if was_sent else "was not sent")
    return _refreshed(reminder)


def _lock(reminder_id: uuid.UUID) -> Reminder:
    """Return the reminder with its rule and reservation, locked until the end of the transaction."""
    reminder = (
        Reminder.objects.select_for_update(of=("self",))
        .select_related("rule", "reservation")
        .filter(id=reminder_id)
        .first()
    )
    if reminder is None:
        raise ReminderNotFound
    return reminder


def _apply_or_raise(reminder: Reminder, event: SendingEvent, **values: object) -> None:
    if not apply_event(reminder, event, **values):
        raise _state_error(reminder)


def _state_error(reminder: Reminder) -> ReminderStateError:
    return ReminderStateError(
        str(_STATUS_MESSAGES[ReminderStatus(reminder.status)]), status_now=reminder.status
    )


def _refreshed(reminder: Reminder) -> Reminder:
    reminder.refresh_from_db(fields=["status", "skip_reason", "planned_for", "send_until", "sent_at"])
    return reminder


def _record(event: EventType, reminder: Reminder, **fields: str) -> None:
    record(event, subject=("reminder", reminder.id), **fields, **events.reminder_fields(reminder))


def _open_failure(reminder: Reminder) -> Failure | None:
    open_failures = Failure.objects.filter(name=FAILURE_NAME, status__in=WAITING_STATUSES)
    return open_failures.filter(payload__reminder=str(reminder.id)).order_by("-id").first()


def _obstacle(reminder: Reminder, *, now: datetime) -> str | None:
    """Return a message that explains why a worker would skip the reminder, or None if the reminder would be sent."""
    address = reminder.reservation.guest_email
    reason = skip_reason(
        reminder,
        recipient=address,
        is_suppressed=is_suppressed(address),
        is_returning=bool(returning_guests([reminder.reservation], rules=[reminder.rule])),
        now=now,
    )
    if reason is None:
        return None
    if reason == SkipReason.RESERVATION_CHANGED:
        return _change_of_reservation(reminder)
    if reason == SkipReason.DAILY_LIMIT:
        return _(
            "The guest already gets the maximum number of e-mails for today (%(limit)d). "
            "Send the reminder tomorrow, or raise the daily limit of the rule."
        ) % {"limit": reminder.rule.daily_limit}
    return str(_SKIP_MESSAGES[reason])


def _change_of_reservation(reminder: Reminder) -> str:
    reservation = reminder.reservation
    if reservation.status not in expected_statuses(reminder.rule):
        return _("The reminder can't be sent because the status of the reservation is “%(status)s”.") % {
            "status": reservation.get_status_display()
        }
    if reminder.arrival != reservation.arrival:
        return _("The arrival date has changed. Reminders for the new date are scheduled separately.")
    if not reminder.rule.is_active:
        return _("The rule of this reminder is inactive. Activate the rule to send the reminder.")
    return _("The rule does not apply to this reservation. Check the conditions of the rule.")

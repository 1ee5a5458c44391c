"""What becomes of a reminder, and of its address, when the provider that took the mail tells of it.

Providers tell things twice and in any order: each of these changes nothing the second time.
"""

from __future__ import annotations

import uuid

from anymail.signals import AnymailTrackingEvent, EventType
from django.db import transaction
from django.utils import timezone

from audit.services import record
from hotelagent.core.messages import TranslatableMessage, message_to_json
from reminders import events
from reminders.errors import MailRejected
from reminders.models import Reminder, ReminderStatus
from reminders.providers import event_mapping
from reminders.sending.outcomes import keep_failure
from reminders.services.reminders import settle_unknown
from reminders.services.suppressions import suppress_recipient

_OPENED = frozenset({EventType.OPENED, EventType.CLICKED})
#: Nobody tells these of a mail that the provider does not have.
_PROVES_SENT = frozenset(
    {
        EventType.QUEUED,
        EventType.SENT,
        EventType.DEFERRED,
        EventType.DELIVERED,
        EventType.AUTORESPONDED,
        EventType.OPENED,
        EventType.CLICKED,
        EventType.COMPLAINED,
        EventType.UNSUBSCRIBED,
    }
)
_GONE_OUT = (ReminderStatus.SENDING, ReminderStatus.SENT, ReminderStatus.UNKNOWN)


def take(*, reminder_id: uuid.UUID, event: AnymailTrackingEvent) -> None:
    """Settle the reminder, and put its address on the suppression list where the event says so."""
    with transaction.atomic():
        reminder = (
            Reminder.objects.select_for_update(of=("self",))
            .select_related("rule", "reservation")
            .filter(id=reminder_id)
            .first()
        )
        if reminder is None or not reminder.recipient:  # erased, or never handed over
            return
        if not event_mapping.concerns(event, reminder.recipient):  # corrected meanwhile, and sent anew
            return
        what = event_mapping.kind(event)
        if what in events.UNDELIVERED_REASONS:
            _return(reminder, event)
        elif what in _PROVES_SENT:
            _prove_sent(reminder)
        if what in _OPENED:
            Reminder.objects.filter(id=reminder_id, opened_at=None).update(opened_at=timezone.now())
        reason = event_mapping.reason_to_suppress(event)
        if reason is not None:
            suppress_recipient(reminder, reason=reason)


def _return(reminder: Reminder, event: AnymailTrackingEvent) -> None:
    """It did not reach the guest."""
    what, said = event_mapping.kind(event), event_mapping.said(event)
    words = TranslatableMessage(events.UNDELIVERED_REASONS[what])
    error = MailRejected(TranslatableMessage("{words}: {said}", words=words, said=said) if said else words)
    waiting = Reminder.objects.filter(id=reminder.id, status__in=_GONE_OUT)
    if not waiting.update(status=ReminderStatus.FAILED, last_error=message_to_json(error.detail)):
        return
    keep_failure(reminder, recipient=reminder.recipient, error=error)
    record(
        events.REMINDER_UNDELIVERED,
        subject=("reminder", reminder.id),
        reason=what,
        **events.reminder_fields(reminder),
    )


def _prove_sent(reminder: Reminder) -> None:
    if reminder.status == ReminderStatus.UNKNOWN:
        settle_unknown(reminder_id=reminder.id, was_sent=True)

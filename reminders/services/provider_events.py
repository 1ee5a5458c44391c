"""The service that processes events of mail providers. The events change reminders and the suppression list.

Providers report events more than once and in any order, so a repeated event changes nothing.
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
from reminders.sending.outcomes import capture_failure
from reminders.sending.states import SendingEvent, apply_event
from reminders.services.reminders import settle_unknown
from reminders.services.suppressions import suppress_recipient

_OPENED = frozenset({EventType.OPENED, EventType.CLICKED})
#: Event types that prove that the provider accepted the message.
_ACCEPTED = frozenset(
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


def process_event(*, reminder_id: uuid.UUID, event: AnymailTrackingEvent) -> None:
    """Update the reminder's status, and suppress the recipient's address if the event requires it.

    An event is ignored if its reminder was deleted or was never transmitted. An event is also ignored if staff have
    corrected the address that the event is about.
    """
    with transaction.atomic():
        reminder = (
            Reminder.objects.select_for_update(of=("self",))
            .select_related("rule", "reservation")
            .filter(id=reminder_id)
            .first()
        )
        if reminder is None or not reminder.recipient:
            return
        if not event_mapping.is_about(event, reminder.recipient):
            return
        event_type = event_mapping.event_type(event)
        if event_type in events.UNDELIVERED_REASONS:
            _mark_undelivered(reminder, event)
        elif event_type in _ACCEPTED and reminder.status == ReminderStatus.UNKNOWN:
            settle_unknown(reminder_id=reminder.id, was_sent=True)
        if event_type in _OPENED:
            Reminder.objects.filter(id=reminder_id, opened_at=None).update(opened_at=timezone.now())
        reason = event_mapping.suppression_reason(event)
        if reason is not None:
            suppress_recipient(reminder, reason=reason)


def _mark_undelivered(reminder: Reminder, event: AnymailTrackingEvent) -> None:
    event_type = event_mapping.event_type(event)
    error_text = event_mapping.error_text(event)
    reason = TranslatableMessage(events.UNDELIVERED_REASONS[event_type])
    error = MailRejected(
        TranslatableMessage("{reason}: {error_text}", reason=reason, error_text=error_text)
        if error_text
        else reason
    )
    if apply_event(reminder, SendingEvent.RETURNED, last_error=message_to_json(error.detail)):
        capture_failure(reminder, recipient=reminder.recipient, error=error)
        record(
            events.REMINDER_UNDELIVERED,
            subject=("reminder", reminder.id),
            reason=event_type,
            **events.reminder_fields(reminder),
        )

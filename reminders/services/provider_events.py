"""What becomes of a reminder, and of its address, when the provider that took the mail tells of it.

Providers tell things twice and in any order: each of these changes nothing the second time.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.db import transaction

from audit.services import record
from reminders import events
from reminders.errors import RefusedForGood
from reminders.models import Reminder, ReminderStatus, SuppressionReason
from reminders.outcomes import keep_failure
from reminders.services.reminders import settle_unknown
from reminders.services.suppressions import suppress_recipient

_RETURNED = frozenset({EventType.BOUNCED, EventType.REJECTED, EventType.FAILED})
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
_REASONS = {
    RejectReason.SPAM: SuppressionReason.COMPLAINED,
    RejectReason.UNSUBSCRIBED: SuppressionReason.UNSUBSCRIBED,
    RejectReason.BOUNCED: SuppressionReason.BOUNCED,
    RejectReason.INVALID: SuppressionReason.BOUNCED,
}
_GONE_OUT = (ReminderStatus.SENDING, ReminderStatus.SENT, ReminderStatus.UNKNOWN)
#: What providers call a bounce that another day might not have (a full mailbox, a server that is away), which
#: Anymail does not tell from the others: Postmark and Brevo say "soft", Amazon and Resend "Transient".
_SOFT = re.compile(r"soft|transient|undetermined|temporary", re.IGNORECASE)
#: SparkPost's classes of them: undetermined by the other side, no DNS, full, too large, for now.
_SOFT_CLASSES = frozenset({"20", "21", "22", "23", "40", "70"})
_CODE_OF_SOFT = re.compile(r"\b4\.\d{1,3}\.\d{1,3}\b|^4\d\d\b")  # RFC 3463, 3: persistent transient failure


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
        if event.event_type in _RETURNED:
            _return(reminder, event)
        elif event.event_type in _PROVES_SENT:
            _prove_sent(reminder)
        reason = _reason_to_suppress(event)
        if reason is not None:
            suppress_recipient(reminder, reason=reason)


def _return(reminder: Reminder, event: AnymailTrackingEvent) -> None:
    """It did not reach the guest."""
    said = event.mta_response or event.description or ""
    error = RefusedForGood(f"{event.event_type}: {said}"[:500] if said else str(event.event_type))
    waiting = Reminder.objects.filter(id=reminder.id, status__in=_GONE_OUT)
    if not waiting.update(status=ReminderStatus.FAILED, last_error=error.detail):
        return
    keep_failure(reminder, recipient=reminder.recipient, error=error)
    record(
        events.REMINDER_RETURNED,
        subject=("reminder", reminder.id),
        reason=event.event_type,
        **events.naming(reminder),
    )


def _prove_sent(reminder: Reminder) -> None:
    if reminder.status == ReminderStatus.UNKNOWN:
        settle_unknown(reminder_id=reminder.id, was_sent=True)


def _reason_to_suppress(event: AnymailTrackingEvent) -> SuppressionReason | None:
    if event.event_type == EventType.COMPLAINED:
        return SuppressionReason.COMPLAINED
    if event.event_type == EventType.UNSUBSCRIBED:
        return SuppressionReason.UNSUBSCRIBED
    if event.event_type == EventType.REJECTED:
        return _REASONS.get(event.reject_reason)
    return (
        SuppressionReason.BOUNCED if event.event_type == EventType.BOUNCED and _is_for_good(event) else None
    )


def _is_for_good(event: AnymailTrackingEvent) -> bool:
    """Whether the address is no good, rather than this mail or this day."""
    if event.reject_reason not in {None, RejectReason.BOUNCED, RejectReason.INVALID}:
        return False
    if _CODE_OF_SOFT.search(str(event.mta_response or "")):
        return False
    return not any(_SOFT.search(word) or word in _SOFT_CLASSES for word in _kinds(event.esp_event))


def _kinds(raw: Any) -> list[str]:
    """What the provider calls this kind of bounce, wherever in its message it says so."""
    if not isinstance(raw, dict):
        return []
    found = [
        str(raw[key])
        for key in ("Type", "event", "bounceType", "type", "bounce_class")
        if isinstance(raw.get(key), str)
    ]
    for key in ("bounce", "data", "msys", "message_event"):
        found += _kinds(raw.get(key))
    return found

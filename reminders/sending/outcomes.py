"""Functions that store the result of a worker's attempt to send a reminder.

Each function changes the status, records the audit event and updates the queue of due items in one transaction.
If the worker has lost its claim, nothing is changed.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from audit.recording.values import split_fields
from audit.services import actor_as_json, record
from dlq.services import capture
from hotelagent.core.messages import message_to_json
from reminders import due_kinds, events, metrics
from reminders.models import Reminder, SkipReason
from reminders.sending.claims import uuid_array
from reminders.sending.states import SendingEvent, apply_event
from tenants.context import current_hotel
from tenants.database.functions import call_function
from tenants.errors import DomainError
from tenants.queue import due

logger = logging.getLogger(__name__)

#: The task name under which the dead-letter queue stores failed reminders.
FAILURE_NAME: Final = "reminders.send"

_PROGRESS: Final = "reminders_record_progress"


class ClaimLost(Exception):
    """Another worker has claimed the reminder, or the reservation has changed since this worker read it."""


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A message that the mail server has accepted. Its reminder does not have the status "sent" yet.

    `actor` is recorded as the actor in the audit event.
    """

    reminder: Reminder
    accepted_at: datetime
    actor: dict[str, str | None]

    @classmethod
    def now(cls, reminder: Reminder) -> AcceptedMessage:
        return cls(reminder, timezone.now(), actor_as_json())


def start_transmission(
    reminder: Reminder, *, recipient: str, accepted: AcceptedMessage | None = None
) -> None:
    """Store that the transmission of the reminder starts, and that the previous message (`accepted`) was sent.

    Both changes are committed on return. Raises ClaimLost if the reminder must not be sent. In this case, the change
    for the previous message is still committed.
    """
    request = _sent(accepted) | {
        "next": {
            "id": reminder.id.hex,
            "attempts": reminder.attempts,
            "reservation": reminder.reservation_id.hex,
            "reservation_version": reminder.reservation.updated_at.isoformat(),
            "recipient": recipient,
        }
    }
    if not call_function(_PROGRESS, request):
        raise ClaimLost


def finish_sent(accepted: AcceptedMessage | None, *, sent_ids: Collection[uuid.UUID]) -> None:
    """Store the message `accepted` as sent, delete the due items of all sent reminders, and commit.

    The function can be called again if the connection was lost.
    """
    call_function(
        _PROGRESS,
        _sent(accepted) | {"hotel": str(current_hotel().id), "finished": uuid_array(sent_ids)},
    )


def _sent(accepted: AcceptedMessage | None) -> dict[str, Any]:
    if accepted is None:
        return {}
    reminder = accepted.reminder
    fields = {"attempts": reminder.attempts, **events.reminder_fields(reminder)}
    plain, personal = split_fields(events.REMINDER_SENT, fields)
    return {
        "sent": {
            "id": reminder.id.hex,
            "attempts": reminder.attempts,
            "sent_at": accepted.accepted_at.isoformat(),
            "actor": accepted.actor,
            "event_data": plain,
            "personal_data": personal,
        }
    }


def skip(reminder: Reminder, reason: SkipReason) -> None:
    """Set the status of the reminder to `skipped`, and store the reason."""
    with transaction.atomic():
        if apply_event(reminder, SendingEvent.NOT_ELIGIBLE, skip_reason=reason):
            _record(events.REMINDER_SKIPPED, reminder, reason=reason.value)
            due.cancel(kind=due_kinds.REMINDER, ids=[reminder.id])
            metrics.SKIPPED.labels(reason=reason.value).inc()


def fail(reminder: Reminder, error: DomainError) -> None:
    """Set the status of the reminder to `failed`, and add the reminder to the dead-letter queue."""
    recipient = reminder.reservation.guest_email
    with transaction.atomic():
        if apply_event(
            reminder,
            SendingEvent.ATTEMPT_FAILED,
            last_error=message_to_json(error.detail),
            recipient=recipient,
        ):
            capture_failure(reminder, recipient=recipient, error=error)
            _record(events.REMINDER_FAILED, reminder, error=error.code)
            due.cancel(kind=due_kinds.REMINDER, ids=[reminder.id])


def capture_failure(reminder: Reminder, *, recipient: str, error: DomainError) -> None:
    """Add the reminder to the dead-letter queue, where staff correct the address and send the reminder again."""
    payload = {"reminder": str(reminder.id), "to": recipient}
    capture(
        is_task=False,
        source="reminders",
        name=FAILURE_NAME,
        payload=payload,
        error=error,
        retry=False,
        work_key=f"{FAILURE_NAME}:{reminder.id}",
    )


def mark_unknown(reminder: Reminder, *, error_code: str, error: str) -> bool:
    """Set the status of the reminder to `unknown`, because its message may or may not have been sent.

    Return whether the status was changed.
    """
    with transaction.atomic():
        is_changed = apply_event(reminder, SendingEvent.OUTCOME_LOST, last_error=message_to_json(error))
        if is_changed:
            _record(events.REMINDER_UNKNOWN, reminder, error=error_code)
            due.cancel(kind=due_kinds.REMINDER, ids=[reminder.id])
            logger.warning("reminder_unknown", extra={"reminder": str(reminder.id), "error": error_code})
    return is_changed


def postpone(reminders: Collection[Reminder], *, delay: timedelta, error: str = "") -> None:
    """Make unsent reminders due again after `delay`.

    If the send window of a reminder ends before that time, the reminder becomes due one second after the window ends.
    A worker then marks the reminder as skipped or failed.
    """
    values = {"last_error": message_to_json(error)} if error else {}
    now = timezone.now()
    with transaction.atomic():
        items = [
            (reminder.id, max(now, min(now + delay, reminder.send_until + timedelta(seconds=1))))
            for reminder in reminders
            if apply_event(reminder, SendingEvent.POSTPONED, transmission_started_at=None, **values)
        ]
        due.schedule(kind=due_kinds.REMINDER, items=items)


def _record(event: Any, reminder: Reminder, **fields: str) -> None:
    record(event, subject=("reminder", reminder.id), **fields, **events.reminder_fields(reminder))

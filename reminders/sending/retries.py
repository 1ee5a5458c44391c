"""The retry handler for failed reminders. The dead-letter queue calls the handler to send a reminder again."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from dlq.errors import InvalidPayload, NonRetryableError
from dlq.kinds.registry import failure_kind
from dlq.models import Failure
from hotelagent.core.messages import TranslatableMessage, message_to_json
from reminders import due_kinds
from reminders.errors import (
    InvalidReservation,
    InvalidTemplate,
    MailDeferred,
    MailOutcomeUnknown,
    MailRejected,
)
from reminders.models import Reminder, ReminderStatus
from reminders.reservations.services import update_guest
from reminders.selectors import is_suppressed
from reminders.sending import claims, mail_settings, outcomes
from reminders.sending.batch import Batch
from reminders.sending.claims import ClaimedBatch
from reminders.sending.eligibility import manual_deadline
from reminders.sending.outcomes import FAILURE_NAME, ClaimLost
from reminders.sending.smtp import Transport
from reminders.sending.states import SendingEvent, apply_event
from tenants.queue import due

_ONE_SECOND = timedelta(seconds=1)


def _correct_reservation(before: Any, after: Any) -> None:
    """Store the address that staff entered into the payload in the reservation, in the transaction of the correction.

    Otherwise, the next reminder of the reservation would fail for the same reason. Raises InvalidPayload if the address
    is not valid, and ReservationStateError if the reservation is cancelled.
    """
    address = after.get("to", "")
    if not address or address == before.get("to"):
        return
    reminder = Reminder.objects.filter(id=after["reminder"]).first()
    if reminder is None:
        return
    try:
        update_guest(reservation_id=reminder.reservation_id, guest_email=address)
    except InvalidReservation as error:
        [message, *_others] = error.extra["errors"]["guest_email"]
        raise InvalidPayload(f"to: {message}", errors={"to": [message]}) from error


@failure_kind(
    FAILURE_NAME,
    schema={
        "type": "object",
        "required": ["reminder"],
        "additionalProperties": False,
        "properties": {
            "reminder": {"type": "string", "format": "uuid", "title": _("Reminder"), "readOnly": True},
            # The JSON schema accepts invalid addresses, because an invalid address may have caused the failure.
            "to": {
                "type": "string",
                "maxLength": 254,
                "title": _("E-mail address"),
                "description": _(
                    "The reservation gets this address, too, so later reminders are sent to it."
                ),
            },
        },
    },
    personal_fields=["to"],
    on_correction=_correct_reservation,
)
def retry_failed(failure: Failure) -> None:
    """Send the failed reminder again immediately.

    The message is sent to the current address of the reservation, or to the address that staff entered into the payload
    of the failure. Raises NonRetryableError if the mail server rejected the message permanently. Other errors are
    raised unchanged, so that the dead-letter queue tries again.
    """
    reminder_id = uuid.UUID(failure.payload["reminder"])
    reminder = Reminder.objects.select_related("reservation", "rule").filter(id=reminder_id).first()
    if reminder is None:
        return
    if not _claim(reminder):
        if Reminder.objects.filter(id=reminder_id, status=ReminderStatus.SENDING).exists():
            raise MailDeferred(
                TranslatableMessage(
                    _(
                        "The reminder is being sent by another worker. Retry in a few minutes to see the result."
                    )
                )
            )
        return
    entered = failure.payload.get("to", "")
    is_corrected = bool(entered) and entered != reminder.recipient
    try:
        _send(reminder, recipient=entered if is_corrected else reminder.reservation.guest_email)
    except MailRejected as error:
        raise NonRetryableError(str(error)) from error


def _claim(reminder: Reminder) -> bool:
    """Claim the failed reminder for this worker. Return whether the claim succeeded.

    The reminder becomes due when the claim expires, so that another worker processes it if this worker stops.
    """
    send_until = manual_deadline(reminder, now=timezone.now())
    with transaction.atomic():
        is_claimed = claims.claim_failed(reminder, send_until=send_until)
        if is_claimed and reminder.claimed_at:
            expired_at = reminder.claimed_at + claims.CLAIM_TIMEOUT + _ONE_SECOND
            due.schedule(kind=due_kinds.REMINDER, items=[(reminder.id, expired_at)])
    return is_claimed


def _send(reminder: Reminder, *, recipient: str) -> None:
    suppressed = {reminder.id} if is_suppressed(recipient) else set()
    claimed = ClaimedBatch([reminder], suppressed, mail_settings.read())
    with Transport() as transport:
        batch = Batch(claimed, transport)
        reason = batch.skip_reason(reminder, recipient=recipient)
        if reason is not None:
            outcomes.skip(reminder, reason)
            return
        try:
            batch.send(reminder, recipient=recipient)
            batch.store_sent()
        except ClaimLost:
            apply_event(reminder, SendingEvent.ATTEMPT_FAILED)
            raise
        except (MailRejected, MailDeferred, InvalidTemplate) as error:
            apply_event(reminder, SendingEvent.ATTEMPT_FAILED, last_error=message_to_json(error.detail))
            raise
        except MailOutcomeUnknown as error:
            outcomes.mark_unknown(reminder, error_code=error.code, error=error.detail)

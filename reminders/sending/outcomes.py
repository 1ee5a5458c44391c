"""Writes how a reminder ended that was not sent: skipped, failed, unknown, or put back for later.

Each with its line in the trail and its place in the due queue, in one transaction.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from audit.services import record
from dlq.services import capture
from hotelagent.core.messages import message_to_json
from reminders import due_kinds, events, metrics
from reminders.errors import InvalidTemplate, MailDeferred, MailOutcomeUnknown, MailRejected
from reminders.models import Reminder, ReminderStatus, SkipReason
from reminders.sending import claims
from reminders.sending.claims import ClaimLost
from tenants.errors import DomainError
from tenants.queue import due

logger = logging.getLogger(__name__)

SEND = "reminders.send"  # the name of its failures, and of what sends them again
AT_ONCE = timedelta(0)
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=60), timedelta(minutes=15)

Trouble = ClaimLost | MailRejected | MailDeferred | InvalidTemplate | MailOutcomeUnknown


def went_wrong(reminder: Reminder, error: Trouble) -> str:
    """The outcome's name. `server_away`: put back, and the others of its batch have nothing better to expect."""
    if isinstance(error, ClaimLost):
        # The reservation changed under our hands, or the claim went stale: look at it afresh.
        return put_back([reminder], delay=AT_ONCE)
    if isinstance(error, MailOutcomeUnknown):
        return unknown(reminder, error)
    if isinstance(error, MailDeferred):
        put_back([reminder], delay=_backoff(reminder.attempts), error=error.detail)
        return "server_away" if error.extra.get("smtp_code", 421) == 421 else "put_back"
    return fail(reminder, error)


def skip(reminder: Reminder, reason: SkipReason) -> str:
    with transaction.atomic():
        if claims.finish(reminder, status=ReminderStatus.SKIPPED, skip_reason=reason):
            record(
                events.REMINDER_SKIPPED,
                subject=("reminder", reminder.id),
                reason=reason.value,
                **events.reminder_fields(reminder),
            )
            due.cancel(kind=due_kinds.REMINDER, ids=[reminder.id])
            metrics.SKIPPED.labels(reason=reason.value).inc()
    return "skipped"


def fail(reminder: Reminder, error: MailRejected | MailDeferred | InvalidTemplate) -> str:
    with transaction.atomic():
        if claims.finish(reminder, status=ReminderStatus.FAILED, last_error=message_to_json(error.detail)):
            recipient = reminder.reservation.guest_email
            Reminder.objects.filter(id=reminder.id).update(recipient=recipient)
            keep_failure(reminder, recipient=recipient, error=error)
            record(
                events.REMINDER_FAILED,
                subject=("reminder", reminder.id),
                error=error.code,
                **events.reminder_fields(reminder),
            )
            due.cancel(kind=due_kinds.REMINDER, ids=[reminder.id])
    return "failed"


def keep_failure(reminder: Reminder, *, recipient: str, error: DomainError) -> None:
    """Let it stand with the failures, where the address can be corrected and the mail sent again."""
    payload = {"reminder": str(reminder.id), "to": recipient}
    capture(kind="message", source="reminders", name=SEND, payload=payload, error=error, retry=False)


def unknown(reminder: Reminder, error: MailOutcomeUnknown) -> str:
    with transaction.atomic():
        if claims.finish(reminder, status=ReminderStatus.UNKNOWN, last_error=message_to_json(error.detail)):
            what = {"error": error.code, **events.reminder_fields(reminder)}
            record(events.REMINDER_UNKNOWN, subject=("reminder", reminder.id), **what)
            due.cancel(kind=due_kinds.REMINDER, ids=[reminder.id])
    logger.warning("reminder_unknown", extra={"reminder": str(reminder.id)})
    return "unknown"


def put_back(reminders: Sequence[Reminder], *, delay: timedelta, error: str = "") -> str:
    """Back to `scheduled`, due after `delay`, but no later than the end of its window: then it is settled."""
    by_id = {reminder.id: reminder for reminder in reminders}
    now = timezone.now()
    with transaction.atomic():
        held = claims.put_back(reminders, error=error)
        due.schedule(
            kind=due_kinds.REMINDER,
            items=[(id_, _due_again(by_id[id_], now + delay, now=now)) for id_ in held],
        )
    return "put_back"


def _due_again(reminder: Reminder, wanted: datetime, *, now: datetime) -> datetime:
    return max(now, min(wanted, reminder.send_until + timedelta(seconds=1)))


def _backoff(attempts: int) -> timedelta:
    """A minute, then twice as long each time up to a quarter of an hour; spread, so that not all come at once."""
    delay: timedelta = min(FIRST_DELAY * 2.0 ** min(attempts - 1, 10), LONGEST_DELAY)
    return delay * random.uniform(0.8, 1.2)  # noqa: S311 - spreading load, not secrets

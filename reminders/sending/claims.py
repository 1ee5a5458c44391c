"""Claims on reminders. A worker claims a reminder before sending, so that no other worker sends the same reminder.

If a worker stops, its claim expires. If the transmission of the message had not started (`transmission_started_at`),
the next worker claims the reminder again. If the transmission had started, the mail server may have accepted the
message, so the reminder becomes `unknown`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F
from django.db.models.functions import Now

from reminders.models import Reminder, ReminderStatus, Reservation
from reminders.sending import mail_settings
from reminders.sending.mail_settings import MailSettings
from reminders.sending.states import SendingEvent, apply_event
from tenants.database.functions import JsonRows, call_function

#: The time after which a claim expires. This time is much longer than the time limit of a batch (`batch.TIME_LIMIT`).
CLAIM_TIMEOUT: timedelta = timedelta(seconds=180)

_UNFINISHED = (ReminderStatus.SCHEDULED, ReminderStatus.SENDING)
_REMINDERS: Final = JsonRows(Reminder)
_RESERVATIONS: Final = JsonRows(Reservation)


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """Claimed reminders with their reservations and rules, and the mail settings of the hotel.

    `suppressed` contains the ids of the reminders whose recipient is on the suppression list.
    """

    reminders: list[Reminder]
    suppressed: set[uuid.UUID]
    settings: MailSettings


def claim_due(ids: Collection[uuid.UUID], *, now: datetime) -> ClaimedBatch | None:
    """Claim the due reminders, and the reminders whose previous claim expired before their transmission started.

    Return None if there are no such reminders. The claim needs one round trip to the database and is committed on
    return, unless a transaction is open.
    """
    cached = mail_settings.cached()
    result = call_function(
        "reminders_claim",
        {
            "ids": uuid_array(ids),
            "now": now.isoformat(),
            "claim_timeout": CLAIM_TIMEOUT.total_seconds(),
            "known_revision": cached.revision if cached else None,
        },
    )
    if result is None:
        return None
    settings = cached.settings if cached and "rules" not in result else mail_settings.store(result)
    batch = ClaimedBatch([], set(), settings)
    for row in result["claimed"]:
        reminder = _REMINDERS.instance(row["reminder"])
        reminder.reservation = _RESERVATIONS.instance(row["reservation"])
        reminder.rule = settings.rules[reminder.rule_id]
        batch.reminders.append(reminder)
        if row["is_suppressed"]:
            batch.suppressed.add(reminder.id)
    batch.reminders.sort(key=lambda reminder: (reminder.planned_for, reminder.rule.order, reminder.id))
    return batch


def claim_failed(reminder: Reminder, *, send_until: datetime) -> bool:
    """Claim a failed reminder so that it can be sent again, and refresh the instance.

    Return whether the claim succeeded.
    """
    is_claimed = apply_event(
        reminder,
        SendingEvent.RETRY_CLAIMED,
        attempts=F("attempts") + 1,
        claimed_at=Now(),
        transmission_started_at=None,
        send_until=send_until,
    )
    if is_claimed:
        reminder.refresh_from_db(
            fields=["status", "attempts", "claimed_at", "transmission_started_at", "send_until", "recipient"]
        )
    return is_claimed


def lock_lost_transmissions(ids: Collection[uuid.UUID]) -> list[Reminder]:
    """Return the reminders whose claim expired after the transmission had started.

    The rows are locked until the end of the caller's transaction.
    """
    expired_before = Now() - CLAIM_TIMEOUT
    return list(
        Reminder.objects.select_for_update(of=("self",))
        .select_related("reservation", "rule")
        .filter(
            id__in=ids,
            status=ReminderStatus.SENDING,
            claimed_at__lt=expired_before,
            transmission_started_at__lt=expired_before,
        )
    )


def lock_finished(ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Return the ids of reminders that have a final status or don't exist.

    Existing rows are locked until the end of the caller's transaction. Rows that are locked by another transaction are
    skipped.
    """
    rows = Reminder.objects.filter(id__in=ids)
    unlocked = rows.select_for_update(skip_locked=True).values_list("id", "status")
    finished = [id_ for id_, status in unlocked if status not in _UNFINISHED]
    return [*finished, *(set(ids) - set(rows.values_list("id", flat=True)))]


def uuid_array(ids: Iterable[uuid.UUID]) -> str:
    """Return the ids as a PostgreSQL array literal, such as `{a,b}`."""
    return f"{{{','.join(id_.hex for id_ in ids)}}}"

"""Who may send a reminder: claims, their fence, and what becomes of one whose worker died.

A worker moves `scheduled` to `sending` and holds the claim under the number in `attempts`. Just before a mail's
first byte leaves it commits `handed_over_at`, and that same statement looks at the reservation's version once
more. So a claim that went stale is one of two things:

- without `handed_over_at` nothing was sent: it goes back to `scheduled`;
- with it, the mail server may have taken the mail: it is `unknown`, and is never sent again by itself.

A worker that only was slow finds its number gone when it tries to hand over, and sends nothing. Should it have
been in the middle of a mail, it still knows what the server said: `unknown` gives way to its answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from reminders.models import Reminder, ReminderStatus

#: After this long without a sign a claim is stale. A worker starts no mail later than BUDGET after its claim,
#: and the fence covers the one that does.
STALE_AFTER = timedelta(seconds=180)

_SETTLE_STALE = """
UPDATE reminders_reminder
SET status = CASE WHEN handed_over_at IS NULL THEN 'scheduled' ELSE 'unknown' END,
    last_error = 'The worker was lost.'
WHERE id = ANY(%s::uuid[]) AND status = 'sending'
AND greatest(claimed_at, handed_over_at) < statement_timestamp() - make_interval(secs => %s)
RETURNING id, status
"""

# SKIP LOCKED: two workers that were handed the same ids share them instead of waiting for each other.
_CLAIM = """
UPDATE reminders_reminder
SET status = 'sending', attempts = attempts + 1, claimed_at = statement_timestamp(), handed_over_at = NULL
WHERE id IN (
    SELECT id FROM reminders_reminder
    WHERE id = ANY(%s::uuid[]) AND status = 'scheduled' AND planned_for <= %s FOR UPDATE SKIP LOCKED
)
RETURNING id
"""

_HAND_OVER = """
UPDATE reminders_reminder r SET handed_over_at = statement_timestamp(), recipient = %s
FROM reminders_reservation v
WHERE r.id = %s AND r.attempts = %s AND r.status = 'sending'
AND v.id = r.reservation_id AND v.updated_at = %s
"""


_OPEN = (ReminderStatus.SCHEDULED, ReminderStatus.SENDING)


@dataclass(frozen=True, slots=True)
class Claimed:
    reminders: list[Reminder]
    unknown: list[uuid.UUID]  # stale ones that may have been sent
    over: list[uuid.UUID]  # nothing is left to do for these


class ClaimLost(Exception):
    """Another worker took it over, or the reservation changed after it was read."""


def claim(ids: Sequence[uuid.UUID], *, now: datetime) -> Claimed:
    """Settle stale claims among `ids`, and claim those that are scheduled and due. One transaction; inside the
    caller's, the rows of `over` stay locked until its end."""
    with transaction.atomic():
        return _claim(ids, now=now)


def _claim(ids: Sequence[uuid.UUID], *, now: datetime) -> Claimed:
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE_STALE, [list(ids), STALE_AFTER.total_seconds()])
        unknown = [id_ for id_, status in cursor.fetchall() if status == ReminderStatus.UNKNOWN]
        cursor.execute(_CLAIM, [list(ids), now])
        claimed = [row[0] for row in cursor.fetchall()]
    reminders = list(
        Reminder.objects.filter(id__in=claimed)
        .select_related("reservation", "rule")
        .order_by("planned_for", "id")
    )
    # Locked, so that none of these is planned anew between this look and the caller's removing it from the
    # queue.
    rows = Reminder.objects.filter(id__in=ids)
    locked = rows.select_for_update(skip_locked=True).exclude(id__in=claimed)
    over = [id_ for id_, status in locked.values_list("id", "status") if status not in _OPEN]
    gone = set(ids) - set(rows.values_list("id", flat=True))
    return Claimed(reminders, unknown, over=[*over, *gone])


def hand_over(reminder: Reminder, *, recipient: str) -> None:
    """Commit that the mail is about to leave. Raises ClaimLost where it must not."""
    parameters: list[Any] = [recipient, reminder.id, reminder.attempts, reminder.reservation.updated_at]
    with connection.cursor() as cursor:
        cursor.execute(_HAND_OVER, parameters)
        if cursor.rowcount != 1:
            raise ClaimLost


def finish(reminder: Reminder, *, status: ReminderStatus, **values: object) -> bool:
    """Write how it ended. False where the claim was lost: then whoever has it now decides."""
    return bool(
        Reminder.objects.filter(
            id=reminder.id,
            attempts=reminder.attempts,
            status__in=[ReminderStatus.SENDING, ReminderStatus.UNKNOWN],
        ).update(status=status, **values)
    )


def put_back(reminders: Sequence[Reminder], *, error: str = "") -> list[uuid.UUID]:
    """Give up claims of which certainly nothing was sent; returns those that were still held."""
    held = []
    for reminder in reminders:
        values: dict[str, object] = {"last_error": error} if error else {}
        if Reminder.objects.filter(
            id=reminder.id, attempts=reminder.attempts, status=ReminderStatus.SENDING
        ).update(status=ReminderStatus.SCHEDULED, handed_over_at=None, **values):
            held.append(reminder.id)
    return held

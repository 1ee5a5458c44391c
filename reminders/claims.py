"""Who may send a reminder: claims, their fence, and what becomes of one whose worker died.

A worker moves `scheduled` to `sending` and holds the claim under the number in `attempts`. Just before a mail's
first byte leaves it commits `handed_over_at`, and that same statement looks at the reservation's version once
more. The message that does so also marks the mail before as sent, so a mail costs one commit and a worker has
one mail in flight. So a claim that went stale is one of two things:

- without `handed_over_at` nothing was sent: it goes back to `scheduled`;
- with it, the mail server may have taken the mail: it is `unknown`, and is never sent again by itself.

A worker that only was slow finds its number gone when it tries to hand over, and sends nothing. Should it have
been in the middle of a mail, it still knows what the server said: `unknown` gives way to its answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from reminders.models import Reminder, ReminderStatus
from reminders.planning import KIND
from tenants.context import current_hotel

#: After this long without a sign a claim is stale. A worker starts no mail later than BUDGET after its claim,
#: and the fence covers the one that does.
STALE_AFTER = timedelta(seconds=180)

# SKIP LOCKED: two workers that were handed the same ids share them instead of waiting for each other.
_CLAIM = """
WITH mine AS (
    SELECT id, status = 'sending' AS is_stale, status = 'sending' AND handed_over_at IS NOT NULL AS may_be_sent
    FROM reminders_reminder
    WHERE id = ANY(%s::uuid[]) AND (
        status = 'scheduled' AND planned_for <= %s
        OR status = 'sending'
        AND greatest(claimed_at, handed_over_at) < statement_timestamp() - make_interval(secs => %s))
    FOR UPDATE SKIP LOCKED
)
UPDATE reminders_reminder r SET
    status = CASE WHEN may_be_sent THEN 'unknown' ELSE 'sending' END,
    attempts = CASE WHEN may_be_sent THEN r.attempts ELSE r.attempts + 1 END,
    claimed_at = CASE WHEN may_be_sent THEN r.claimed_at ELSE statement_timestamp() END,
    handed_over_at = CASE WHEN may_be_sent THEN r.handed_over_at END,
    last_error = CASE WHEN is_stale THEN 'The worker was lost.' ELSE r.last_error END
FROM mine WHERE r.id = mine.id
RETURNING r.id, r.status
"""

# The keys of all rows are said, though the joins would find them: what arrives in thousands at once is unknown to
# the planner's statistics, and it would go through a whole table or the hotel's whole queue instead.
_HAND_OVER = """
UPDATE reminders_reminder r SET handed_over_at = statement_timestamp(), recipient = %(recipient)s
FROM reminders_reservation v
WHERE r.id = %(next)s AND r.attempts = %(next_attempts)s AND r.status = 'sending'
AND v.id = r.reservation_id AND v.id = %(reservation)s AND v.updated_at = %(version)s
RETURNING true
"""

# With its line in the trail and its place in the queue. What is marked already (the answer to that got lost) is
# marked and told no second time.
_MARK_SENT = """
WITH sent AS (
    UPDATE reminders_reminder SET status = 'sent', sent_at = %(sent_at)s, last_error = ''
    WHERE id = %(id)s AND attempts = %(attempts)s AND status IN ('sending', 'unknown')
    RETURNING id
), told AS (
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id, subject_kind,
        subject_id, data)
    SELECT (given ->> 'event')::uuid, 'reminder.sent', given ->> 'actor_kind', given ->> 'actor_id',
        given ->> 'actor_label', (given ->> 'ip')::inet, given ->> 'request_id', 'reminder', sent.id::text,
        given -> 'data'
    FROM sent, (SELECT %(told)s::jsonb AS given) AS told
)
DELETE FROM public.tenants_dueitem
WHERE hotel_id = %(hotel)s AND kind = %(kind)s AND item_id = %(id)s AND EXISTS (SELECT FROM sent)
"""

_OPEN = (ReminderStatus.SCHEDULED, ReminderStatus.SENDING)


@dataclass(frozen=True, slots=True)
class Claimed:
    reminders: list[Reminder]
    unknown: list[uuid.UUID]  # stale ones that may have been sent
    over: list[uuid.UUID]  # nothing is left to do for these


class ClaimLost(Exception):
    """Another worker took it over, or the reservation changed after it was read."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that the server has taken, not marked yet. `told`: what its line in the trail is made of, as JSON."""

    reminder: Reminder
    at: datetime
    told: str


def claim(ids: Sequence[uuid.UUID], *, now: datetime) -> Claimed:
    """Settle stale claims among `ids`, and claim those that are scheduled and due. One transaction; inside the
    caller's, the rows of `over` stay locked until its end."""
    with transaction.atomic(savepoint=False):
        return _claim(ids, now=now)


def _claim(ids: Sequence[uuid.UUID], *, now: datetime) -> Claimed:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [list(ids), now, STALE_AFTER.total_seconds()])
        by_id: dict[uuid.UUID, str] = dict(cursor.fetchall())
    unknown = [id_ for id_, status in by_id.items() if status == ReminderStatus.UNKNOWN]
    reminders: list[Reminder] = []
    if len(unknown) < len(by_id):
        reminders += (
            Reminder.objects.filter(id__in=by_id.keys() - unknown)
            .select_related("reservation", "rule")
            .order_by("planned_for", "id")
        )
    others = set(ids) - by_id.keys()
    return Claimed(reminders, unknown, over=[*unknown, *(_over(others) if others else ())])


def _over(ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Those that have their end, or are not there. Locked, so that none is planned anew between this look and
    the caller's removing it from the queue."""
    rows = Reminder.objects.filter(id__in=ids)
    locked = rows.select_for_update(skip_locked=True)
    ended = [id_ for id_, status in locked.values_list("id", "status") if status not in _OPEN]
    return [*ended, *(set(ids) - set(rows.values_list("id", flat=True)))]


def hand_over(reminder: Reminder, *, recipient: str, after: Sent | None = None) -> None:
    """Commit that the mail is about to leave, and that the one before has been sent.

    Raises ClaimLost where it must not leave; `after` is marked all the same. Doing it again does no harm.
    """
    parameters: dict[str, Any] = {
        "recipient": recipient,
        "next": reminder.id,
        "next_attempts": reminder.attempts,
        "reservation": reminder.reservation_id,
        "version": reminder.reservation.updated_at,
    }
    with connection.cursor() as cursor:
        if after is None:
            cursor.execute(_HAND_OVER, parameters)
        else:
            cursor.execute(f"{_MARK_SENT};{_HAND_OVER}", parameters | _marking(after))
            cursor.nextset()
        if cursor.fetchone() is None:
            raise ClaimLost


def mark_sent(sent: Sent) -> None:
    """Write that it was sent, with its line in the trail, unless another has the claim. Doing it again does
    no harm."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK_SENT, _marking(sent))


def _marking(sent: Sent) -> dict[str, Any]:
    return {
        "id": sent.reminder.id,
        "attempts": sent.reminder.attempts,
        "sent_at": sent.at,
        "told": sent.told,
        "hotel": current_hotel().id,
        "kind": KIND,
    }


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

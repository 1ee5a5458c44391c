"""Who may send a reminder: claims, their fencing_token, and what becomes of one whose worker died.

A worker moves `scheduled` to `sending` and holds the claim under the number in `attempts`. Just before a mail's
first byte leaves it commits `transmission_started_at`, and that same statement looks at the reservation's version once
more. The message that does so also marks the mail before as sent, so a mail costs one commit and a worker has
one mail in flight. So a claim that went stale is one of two things:

- without `transmission_started_at` nothing was sent: it goes back to `scheduled`;
- with it, the mail server may have taken the mail: it is `unknown`, and is never sent again by itself.

A worker that only was slow finds its number gone when it tries to hand over, and sends nothing. Should it have
been in the middle of a mail, it still knows what the server said: `unknown` gives way to its answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext_noop as _
from psycopg.types.json import Jsonb

from hotelagent.core.messages import message_to_json
from reminders.models import Reminder, ReminderStatus, Reservation
from reminders.sending import mail_settings_cache
from reminders.sending.mail_settings_cache import Shared
from reminders.sending.rows import Rows
from tenants.context import current_hotel
from tenants.database.functions import call_function

#: After this long without a sign a claim is stale. A worker starts no mail later than BUDGET after its claim,
#: and the fencing token covers the one that does.
STALE_AFTER = timedelta(seconds=180)

_CLAIM: Final = "reminders_claim"  # migration 0004_handing_over
_HAND_OVER: Final = "reminders_hand_over"
_REMINDERS, _RESERVATIONS = Rows(Reminder), Rows(Reservation)

_LOST: Final = _("The worker was lost.")  # the migration says it too
_MAY_BE_SENT = """
UPDATE reminders_reminder SET status = 'unknown', last_error = %(lost)s
WHERE id = ANY(%(ids)s::uuid[]) AND status = 'sending'
AND greatest(claimed_at, transmission_started_at) < statement_timestamp() - make_interval(secs => %(stale_after)s)
AND transmission_started_at IS NOT NULL
RETURNING id
"""

_OPEN = (ReminderStatus.SCHEDULED, ReminderStatus.SENDING)


@dataclass(frozen=True, slots=True)
class Claimed:
    shared: Shared
    reminders: list[Reminder]  # with their reservations and rules
    suppressed: set[uuid.UUID]  # those whose guest's address no mail may go to


class ClaimLost(Exception):
    """Another worker took it over, or the reservation changed after it was read."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that the server has taken, not marked yet. `told`: what its line in the trail is made of."""

    reminder: Reminder
    at: datetime
    told: dict[str, Any]


def claim(ids: Sequence[uuid.UUID], *, now: datetime) -> Claimed | None:
    """Claim those of `ids` that are scheduled and due, or whose worker died before it sent anything, and read all
    that is needed to send them; None where there are none. One message, one commit.
    """
    kept = mail_settings_cache.kept()
    given = {
        "ids": _array(ids),
        "now": now.isoformat(),
        "stale_after": STALE_AFTER.total_seconds(),
        "known": kept.revision if kept else None,
    }
    found = call_function(_CLAIM, given)
    if found is None:
        return None
    same = kept.shared if kept and "revision" not in found else mail_settings_cache.keep(found)
    claimed = Claimed(same, [], set())
    for row in found["claimed"]:
        reminder = _REMINDERS.made(row["reminder"])
        reminder.reservation = _RESERVATIONS.made(row["reservation"])
        reminder.rule = claimed.shared.rules[reminder.rule_id]
        claimed.reminders.append(reminder)
        if row["suppressed"]:
            claimed.suppressed.add(reminder.id)
    claimed.reminders.sort(key=lambda reminder: (reminder.planned_for, reminder.rule.order, reminder.id))
    return claimed


def give_up(ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Make those `unknown` whose worker died when the mail may have left; returns them. In the caller's
    transaction."""
    with connection.cursor() as cursor:
        given: dict[str, Any] = {
            "ids": list(ids),
            "stale_after": STALE_AFTER.total_seconds(),
            "lost": Jsonb(message_to_json(_LOST)),
        }
        cursor.execute(_MAY_BE_SENT, given)
        return [row[0] for row in cursor.fetchall()]


def over(ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
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
    given = {
        "next": reminder.id.hex,
        "next_attempts": reminder.attempts,
        "reservation": reminder.reservation_id.hex,
        "version": reminder.reservation.updated_at.isoformat(),
        "recipient": recipient,
        **_marking(after),
    }
    if not call_function(_HAND_OVER, given):
        raise ClaimLost


def mark_sent(sent: Sent | None, *, done: Sequence[uuid.UUID]) -> None:
    """Write that it was sent, with its line in the trail, unless another has the claim; and take those of `done`
    that stand as sent out of the due queue. Doing it again does no harm."""
    given = {**_marking(sent), "hotel": str(current_hotel().id), "done": _array(done)}
    call_function(_HAND_OVER, given)


def _array(ids: Iterable[uuid.UUID]) -> str:
    return f"{{{','.join(id_.hex for id_ in ids)}}}"


def _marking(sent: Sent | None) -> dict[str, Any]:
    if sent is None:
        return {}
    return {
        "sent": sent.reminder.id.hex,
        "sent_attempts": sent.reminder.attempts,
        "sent_at": sent.at.isoformat(),
        **sent.told,
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
        values: dict[str, object] = {"last_error": message_to_json(error)} if error else {}
        if Reminder.objects.filter(
            id=reminder.id, attempts=reminder.attempts, status=ReminderStatus.SENDING
        ).update(status=ReminderStatus.SCHEDULED, transmission_started_at=None, **values):
            held.append(reminder.id)
    return held

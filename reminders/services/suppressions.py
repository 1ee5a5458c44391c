"""The addresses that reminders no longer go to: who puts them there, and who takes them off."""

from __future__ import annotations

import uuid

from django.db import connection, transaction

from audit.services import record
from hotelagent.core.ids import uuid7
from reminders import events
from reminders.errors import SuppressionNotFound
from reminders.models import Reminder, Suppression, SuppressionReason

_INSERT = """
INSERT INTO reminders_suppression (id, email, reason) VALUES (%s, %s, %s)
ON CONFLICT (lower(email)) DO NOTHING RETURNING id
"""


def add_suppression(*, email: str) -> bool:
    """Whether the address is new on the list; the first reason stays."""
    with transaction.atomic():
        added = _add(email, SuppressionReason.MANUAL)
        if added:
            record(events.SUPPRESSION_ADDED, subject=("suppression", added))
    return added is not None


def suppress_recipient(reminder: Reminder, *, reason: SuppressionReason) -> bool:
    """Write no more to the address that a reminder went to. Asking again changes nothing and tells nothing."""
    event = (
        events.SUPPRESSION_UNSUBSCRIBED
        if reason == SuppressionReason.UNSUBSCRIBED
        else events.SUPPRESSION_REPORTED
    )
    more = {} if reason == SuppressionReason.UNSUBSCRIBED else {"reason": reason.value}
    with transaction.atomic():
        added = _add(reminder.recipient, reason)
        if added:
            record(event, subject=("suppression", added), number=reminder.reservation.external_id, **more)
    return added is not None


def remove_suppression(*, suppression_id: uuid.UUID) -> None:
    """Let reminders go there again. Raises SuppressionNotFound."""
    with transaction.atomic():
        listed = Suppression.objects.select_for_update().filter(id=suppression_id).first()
        if listed is None:
            raise SuppressionNotFound
        listed.delete()
        record(events.SUPPRESSION_REMOVED, subject=("suppression", suppression_id), reason=listed.reason)


def _add(email: str, reason: SuppressionReason) -> uuid.UUID | None:
    """The new row's id; None where the address stood there already."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [uuid7(), email.strip().lower(), reason.value])
        row: tuple[uuid.UUID] | None = cursor.fetchone()
    return row[0] if row else None

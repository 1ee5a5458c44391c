"""Services that change the suppression list, which contains the addresses that receive no reminders."""

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
    """Add an address, which staff entered, to the suppression list. Return False if the address is already listed."""
    with transaction.atomic():
        suppression_id = _insert(email, SuppressionReason.MANUAL)
        if suppression_id:
            record(events.SUPPRESSION_ADDED, subject=("suppression", suppression_id))
    return suppression_id is not None


def suppress_recipient(reminder: Reminder, *, reason: SuppressionReason) -> bool:
    """Add the recipient of the reminder to the suppression list. Return whether the address was added.

    If the address is already on the list, nothing is changed and no event is recorded.
    """
    number = reminder.reservation.external_id
    with transaction.atomic():
        suppression_id = _insert(reminder.recipient, reason)
        if suppression_id is None:
            return False
        subject = ("suppression", suppression_id)
        if reason == SuppressionReason.UNSUBSCRIBED:
            record(events.SUPPRESSION_UNSUBSCRIBED, subject=subject, number=number)
        else:
            record(events.SUPPRESSION_REPORTED, subject=subject, number=number, reason=reason.value)
    return True


def remove_suppression(*, suppression_id: uuid.UUID) -> None:
    """Remove an address from the suppression list, so that the address receives reminders again.

    Raises SuppressionNotFound.
    """
    with transaction.atomic():
        suppression = Suppression.objects.select_for_update().filter(id=suppression_id).first()
        if suppression is None:
            raise SuppressionNotFound
        suppression.delete()
        record(
            events.SUPPRESSION_REMOVED,
            subject=("suppression", suppression_id),
            reason=suppression.reason,
        )


def _insert(email: str, reason: SuppressionReason) -> uuid.UUID | None:
    """Return the id of the new suppression, or None if the address is already on the suppression list."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [uuid7(), email.strip().lower(), reason.value])
        row: tuple[uuid.UUID] | None = cursor.fetchone()
    return row[0] if row else None

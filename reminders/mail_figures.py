"""The number of sent and bounced e-mails of a hotel, for the start page of the platform's admin."""

from datetime import timedelta
from typing import cast
from uuid import UUID

from reminders.models import Reminder, Suppression, SuppressionReason
from tenants.context import current_hotel, platform_context
from tenants.database.clock import database_now
from tenants.models import HotelFigures
from tenants.unaudited import unaudited

PERIOD = timedelta(days=7)
#: Reminders are sent at most this time after the planned time, so reminders with an earlier planned time are not read.
_LATEST = timedelta(days=2)


@unaudited("The stored numbers are computed from reminders and suppressions, whose changes are recorded.")
def count_mails() -> None:
    """Count the e-mails of the current hotel of the last seven days, and store the numbers."""
    hotel = current_hotel()
    now = database_now()
    since = now - PERIOD
    # The index on `planned_for` limits the number of rows that are read.
    sent = Reminder.objects.filter(planned_for__gte=since - _LATEST, sent_at__gte=since).count()
    bounced = Suppression.objects.filter(reason=SuppressionReason.BOUNCED, created_at__gte=since).count()
    with platform_context():
        HotelFigures.objects.update_or_create(
            hotel_id=cast("UUID", hotel.id),
            defaults={"counted_at": now, "mails_sent": sent, "mails_bounced": bounced},
        )

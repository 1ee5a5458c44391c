"""Changes of the retention period and of the legal hold of an audit trail."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.hotels.both_trails import record_in_both_trails
from audit.retention.expired import keep_days_of
from audit.sealing.events import RETENTION_CHANGED
from audit.sealing.models import MAX_KEEP_DAYS, MIN_KEEP_DAYS, Log
from audit.services import record
from tenants.context import platform_context
from tenants.errors import DomainError
from tenants.models import Hotel


class InvalidRetention(DomainError):
    """The retention period must be at least 180 days, or 0 to keep the events for ever. A change needs a reason."""

    code = "invalid-retention"
    status = 422
    title = gettext_lazy("The retention of the audit trail is not valid")


def change_retention(log: Log, *, keep_days: int | None, legal_hold: bool, reason: str) -> bool:
    """Change the retention period and the legal hold of a trail. Return False if nothing changed.

    If `keep_days` is None, the platform's retention period applies. 0 keeps the events for ever. The change is recorded
    in the platform's trail and in the hotel's trail. If events of the trail are being deleted, the function waits for
    the end of the deletion. Raises InvalidRetention.
    """
    if keep_days and not MIN_KEEP_DAYS <= keep_days <= MAX_KEEP_DAYS:
        raise InvalidRetention(
            _("Enter 0 to keep the events for ever, or a number of days from %(minimum)d to %(maximum)d.")
            % {"minimum": MIN_KEEP_DAYS, "maximum": MAX_KEEP_DAYS}
        )
    with platform_context(), transaction.atomic():
        current = Log.objects.select_for_update(no_key=True).get(pk=log.pk)
        if (current.keep_days, current.legal_hold) == (keep_days, legal_hold):
            return False
        if not reason.strip():
            raise InvalidRetention(_("Enter the reason for the change. The audit trail keeps the reason."))
        days_before, hold_before = keep_days_of(current), current.legal_hold
        current.keep_days, current.legal_hold = keep_days, legal_hold
        current.save(update_fields=["keep_days", "legal_hold"])
        fields: dict[str, Any] = {
            "days": keep_days_of(current),
            "days_before": days_before,
            "hold": legal_hold,
            "hold_before": hold_before,
            "reason": reason.strip(),
        }
        hotel = Hotel.objects.filter(pk=current.hotel_id).first() if current.hotel_id else None
        if hotel is None:
            record(RETENTION_CHANGED, subject=("log", current.pk), **fields)
        else:
            record_in_both_trails(RETENTION_CHANGED, hotel=hotel, **fields)
    return True

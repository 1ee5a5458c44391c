"""Whether a restored hotel may open by itself: at this code's state, and where nothing could be done twice."""

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from tenants.lifecycle import template
from tenants.lifecycle.backup.manifest import Manifest
from tenants.lifecycle.fleet import migrate_hotels
from tenants.models import DueItem, Hotel, HotelStatus
from tenants.queue import due


def reasons_to_stay_suspended(hotel: Hotel, manifest: Manifest, *, same_id: bool, asked: bool) -> list[str]:
    """Why the hotel does not open by itself: nobody wants the same mails twice, or from two places."""
    if asked:
        return ["you asked for it"]
    reasons = []
    if manifest.hotel["status"] != HotelStatus.ACTIVE:
        reasons.append(f"it was {manifest.hotel['status']} when it was backed up")
    if manifest.masked:
        return [*reasons, "it is a masked copy: open, it would write to invented addresses under example.com"]
    if manifest.slug != hotel.slug or not same_id:
        reasons.append(
            f"it is a copy of {manifest.slug}, with the same guests: open, it would write to them too"
        )
    if manifest.platform_host != settings.PLATFORM_HOST:
        reasons.append(
            f"it was backed up at {manifest.platform_host}: if it is open there, its guests would be written to twice"
        )
    if count := overdue_items(hotel).count():
        reasons.append(
            f"{count} things (reminders, retries, holds) are due, and may have been done after the backup was made: "
            "open, they would be done again. restore_hotel --forget-due leaves them out"
        )
    return reasons


def overdue_items(hotel: Hotel) -> QuerySet[DueItem]:
    """What may have been done since the backup was made, and would be done again."""
    recurring = [kind.name for kind in due.kinds().values() if kind.recurring]
    return DueItem.objects.filter(hotel_id=hotel.id, due_at__lte=Now()).exclude(kind__in=recurring)


def migrate_restored_hotel(hotel: Hotel) -> str:
    """Bring it to this code's state, as `migrate` does. What went wrong, or nothing."""
    if hotel.schema_version == template.stored_version():
        return ""
    result = migrate_hotels.migrate_hotels([hotel], jobs=1, progress=lambda _slug, _error: None)
    if not result.failed:
        return ""
    return (
        f"its schema is older than this code, and migrating it failed: {result.failed[hotel.slug]}. Mend that, and "
        f"run `manage.py migrate --hotel {hotel.slug}`"
    )

"""Activation of a restored hotel, if its migrations are complete and no e-mail can be sent twice."""

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from hotelagent.core.time_zones import known_time_zones
from tenants.lifecycle import schema_template
from tenants.lifecycle.backup.manifest import Manifest
from tenants.lifecycle.fleet.migrate_hotels import migrate_hotels
from tenants.models import DueItem, Hotel, HotelStatus
from tenants.queue import due


def find_suspension_reasons(
    hotel: Hotel, manifest: Manifest, *, keeps_id: bool, requested: bool
) -> list[str]:
    """Return the reasons to keep the restored hotel suspended.

    For example, the original hotel may have sent the same e-mails already. `requested` is true if the operator
    requested that the hotel stay suspended.
    """
    if requested:
        return ["you requested it"]
    reasons = []
    if manifest.hotel["status"] != HotelStatus.ACTIVE:
        reasons.append(f"it was {manifest.hotel['status']} when it was backed up")
    if manifest.masked:
        return [
            *reasons,
            "it is a masked copy, and would send e-mails to invented addresses under example.com",
        ]
    if manifest.slug != hotel.slug or not keeps_id:
        reasons.append(f"it is a copy of {manifest.slug} and would send e-mails to the same guests")
    if manifest.platform_host != settings.PLATFORM_HOST:
        reasons.append(
            f"it was backed up at {manifest.platform_host}, and if it is active there, guests would get e-mails twice"
        )
    if hotel.time_zone not in known_time_zones():
        reasons.append(
            f"its time zone {hotel.time_zone} is not known here. Upgrade the package tzdata, or change the time zone"
        )
    if count := find_overdue_items(hotel).count():
        reasons.append(
            f"{count} due items (reminders, retries, holds) may have been processed after the backup was created, and "
            "would be processed again. Use restore_hotel --discard-due to skip them"
        )
    return reasons


def find_overdue_items(hotel: Hotel) -> QuerySet[DueItem]:
    """Return the due items of the hotel that are overdue, without recurring items such as calendar imports.

    A worker may have processed these items after the backup was made.
    """
    recurring = [kind.name for kind in due.kinds().values() if kind.recurring]
    return DueItem.objects.filter(hotel_id=hotel.id, due_at__lte=Now()).exclude(kind__in=recurring)


def migrate_restored_hotel(hotel: Hotel) -> str:
    """Apply the migrations that the hotel lacks.

    Return an empty string if all migrations succeed. If a migration fails, return the reason to keep the hotel
    suspended.
    """
    if hotel.schema_version == schema_template.stored_version():
        return ""
    result = migrate_hotels([hotel], jobs=1, progress=lambda _slug, _error: None)
    if not result.failed:
        return ""
    return (
        f"its schema is older than this version, and its migration failed: {result.failed[hotel.slug]}. Fix the "
        f"cause, and run `manage.py migrate --hotel {hotel.slug}`"
    )

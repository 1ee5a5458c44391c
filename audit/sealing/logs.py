"""The transparency logs of the audit trails, and the public keys that verify their signatures."""

from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from audit.sealing.models import Log, LogKey, StoredCheckpoint
from audit.transparency.notes import PublicKey
from tenants.context import platform_context
from tenants.database.clock import database_now
from tenants.models import Hotel, HotelStatus


def open_log(hotel_id: UUID | None) -> Log:
    """Return the open log of a hotel's trail, or of the platform's trail. Create the log if it does not exist."""
    with platform_context():
        return find_log(hotel_id) or _create_log(hotel_id)


def find_log(hotel_id: UUID | None) -> Log | None:
    """Return the log to which new events of a trail are appended, or None if no event of the trail was sealed yet."""
    with platform_context():
        return Log.objects.filter(hotel_id=hotel_id, closed_at=None).select_related("predecessor").first()


def find_sealed_log(hotel_id: UUID | None) -> tuple[Log, StoredCheckpoint] | None:
    """Return the open log of a trail and its newest checkpoint, or None if no event of the trail was sealed yet.

    The `size` of the returned log is the size of the checkpoint, although events may have been sealed in the meantime.
    """
    log = find_log(hotel_id)
    last = last_checkpoint(log) if log else None
    if log is None or last is None:
        return None
    log.size = last.size
    return log, last


def open_logs() -> dict[UUID | None, Log]:
    """Return all open logs in a dictionary. The keys are the ids of the hotels, and None for the platform's log."""
    with platform_context():
        return {log.hotel_id: log for log in Log.objects.filter(closed_at=None)}


def sealed_hotels() -> list[Hotel]:
    """Return the hotels whose trails are sealed: all hotels that have a database schema."""
    with platform_context():
        return list(Hotel.objects.filter(status__in=[HotelStatus.ACTIVE, HotelStatus.SUSPENDED]))


def _create_log(hotel_id: UUID | None, *, predecessor: Log | None = None) -> Log:
    """Create the log of a trail. If two processes create the log simultaneously, both processes return the same log.

    If the trail has an earlier log, the new log gets the retention period and the legal hold of the earlier log.
    """
    with transaction.atomic():
        new = Log(hotel_id=hotel_id, origin=_free_origin(hotel_id))
        if (earlier := predecessor or latest_log(hotel_id)) is not None:
            new.keep_days, new.legal_hold = earlier.keep_days, earlier.legal_hold
        if predecessor is not None and (last := last_checkpoint(predecessor)) is not None:
            new.predecessor = predecessor
            new.predecessor_size, new.predecessor_root = last.size, last.root
        Log.objects.bulk_create([new], ignore_conflicts=True)
    return Log.objects.get(hotel_id=hotel_id, closed_at=None)


def _free_origin(hotel_id: UUID | None) -> str:
    """Return an unused name for a new log of the trail. The name of a second or later log ends with a number."""
    base = f"{settings.PLATFORM_HOST}/audit/{hotel_id or 'platform'}"
    earlier = Log.objects.filter(Q(origin=base) | Q(origin__startswith=f"{base}/")).count()
    return f"{base}/{earlier + 1}" if earlier else base


def close_log(log: Log) -> None:
    """Close a log. No events are appended to a closed log."""
    with platform_context():
        Log.objects.filter(pk=log.pk, closed_at=None).update(closed_at=database_now())


def replace_log(hotel_id: UUID | None, *, predecessor: Log | None) -> Log:
    """Close the open log of a trail, and start a new log that stores the size and the root hash of the closed log."""
    with platform_context(), transaction.atomic():
        Log.objects.filter(hotel_id=hotel_id, closed_at=None).update(closed_at=database_now())
        return _create_log(hotel_id, predecessor=predecessor)


def latest_log(hotel_id: UUID | None) -> Log | None:
    """Return the newest log of a trail, which may be closed because the hotel was deleted."""
    with platform_context():
        return Log.objects.filter(hotel_id=hotel_id).order_by("-created_at", "-id").first()


def last_checkpoint(log: Log) -> StoredCheckpoint | None:
    with platform_context():
        return StoredCheckpoint.objects.filter(log=log).order_by("-size").first()


def keys_in_use() -> dict[UUID, set[str]]:
    """Return a dict that maps the id of each log to the public keys (as text) that signed its newest checkpoint."""
    keys: dict[UUID, set[str]] = {}
    with platform_context():
        for log_id, key in LogKey.objects.filter(last_size=None).values_list("log_id", "key"):
            keys.setdefault(log_id, set()).add(key)
    return keys


def store_key_ranges(log: Log, keys: Iterable[PublicKey], *, first_size: int, last_size: int) -> None:
    """Store in the caller's transaction which keys sign the log from now on.

    first_size: the size of the log at the first checkpoint with signatures of the added keys.
    last_size: the size of the log at the last checkpoint with signatures of the removed keys.
    """
    used = {key.text for key in keys}
    stored = dict(LogKey.objects.filter(log=log).values_list("key", "last_size"))
    if removed := [key for key, last in stored.items() if last is None and key not in used]:
        LogKey.objects.filter(log=log, key__in=removed).update(last_size=last_size)
    if returned := [key for key in used if stored.get(key) is not None]:
        LogKey.objects.filter(log=log, key__in=returned).update(last_size=None)
    if added := sorted(used - stored.keys()):
        LogKey.objects.bulk_create([LogKey(log=log, key=key, first_size=first_size) for key in added])

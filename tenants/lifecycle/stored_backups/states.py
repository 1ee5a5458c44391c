"""The rows of `tenants_backupstate`: which targets are due, how the work on them ended, and the locks of the workers.

All functions need the platform's context. Times are those of the database's clock.
"""

import contextlib
import datetime
import random
from collections.abc import Iterator
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import Error, connection
from django.db.models import F, Q
from django.db.models.functions import Now

from hotelagent.core.time_zones import known_time_zones
from tenants.database.clock import database_now
from tenants.lifecycle.stored_backups.names import Kind, StoredBackup, hotel_target
from tenants.models import BackupState, HotelStatus
from tenants.unaudited import unaudited

#: Each hotel is backed up between these hours in the hotel's time zone, and the platform between these hours in UTC.
NIGHT_BEGINS, NIGHT_HOURS = 1, 4
#: A backup that failed is made again after this time.
RETRY = datetime.timedelta(minutes=30)
#: The time between two restore drills of a target.
DRILL_INTERVAL = datetime.timedelta(days=7)
#: The time until the next drill if a drill has failed. A new backup is made in the meantime.
FAILED_DRILL_INTERVAL = datetime.timedelta(days=1)

_BACKUP_IS_DUE = Q(next_at__lte=Now())
_DRILL_IS_DUE = (Q(next_drill_at=None) | Q(next_drill_at__lte=Now())) & ~Q(name="")


@unaudited("The rows say when backups are due. The backups are recorded.")
def add_missing_targets() -> None:
    """Add the hotels that have no row yet, and the platform. Their first backup is made in the next night."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT hotel.id, hotel.time_zone FROM tenants_hotel hotel
            LEFT JOIN tenants_backupstate state ON state.hotel_id = hotel.id
            WHERE state.target IS NULL AND hotel.status NOT IN (%s, %s)
            """,
            [HotelStatus.PROVISIONING, HotelStatus.ARCHIVED],
        )
        hotels = cursor.fetchall()
    now = database_now()
    states = [
        BackupState(target=hotel_target(id_), hotel_id=id_, next_at=next_night(now, time_zone))
        for id_, time_zone in hotels
    ]
    if not BackupState.objects.filter(target=Kind.PLATFORM).exists():
        states.append(BackupState(target=Kind.PLATFORM, next_at=next_night(now, "UTC")))
    # A concurrent process may have added the same rows.
    BackupState.objects.bulk_create(states, ignore_conflicts=True)


def next_night(now: datetime.datetime, time_zone: str) -> datetime.datetime:
    """Return a random time in the next night in this time zone, so that backups are spread over the night.

    The time is at least NIGHT_HOURS later than `now`, so a target is backed up once per night.
    """
    zone = ZoneInfo(time_zone) if time_zone in known_time_zones() else datetime.UTC
    local = now.astimezone(zone)
    begin = local.replace(hour=NIGHT_BEGINS, minute=0, second=0, microsecond=0, fold=0)
    while begin < local + datetime.timedelta(hours=NIGHT_HOURS):
        begin += datetime.timedelta(days=1)
    offset = random.uniform(0, NIGHT_HOURS * 3600)  # noqa: S311 - no secret
    return (begin + datetime.timedelta(seconds=offset)).astimezone(datetime.UTC)


def find_due_backups() -> list[str]:
    """Return the targets whose backup is due, the longest overdue first."""
    due = BackupState.objects.filter(_BACKUP_IS_DUE).order_by("next_at", "target")
    return list(due.values_list("target", flat=True))


def is_backup_due(target: str) -> bool:
    return BackupState.objects.filter(_BACKUP_IS_DUE, target=target).exists()


def find_due_drills() -> list[str]:
    """Return the targets whose restore drill is due, the longest overdue first."""
    due = BackupState.objects.filter(_DRILL_IS_DUE)
    return list(
        due.order_by(F("next_drill_at").asc(nulls_first=True), "target").values_list("target", flat=True)
    )


def is_drill_due(target: str) -> bool:
    return BackupState.objects.filter(_DRILL_IS_DUE, target=target).exists()


@contextlib.contextmanager
def try_lock(name: str) -> Iterator[bool]:
    """Try to acquire the lock of this name, and yield whether no other process holds it. Release the lock on exit.

    The lock is a session advisory lock, so PostgreSQL releases it when the process is killed. Needs the direct
    connection.
    """
    key = f"hotelagent-backup:{name}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key])
        (is_acquired,) = cursor.fetchone()
    try:
        yield bool(is_acquired)
    finally:
        if is_acquired:
            with contextlib.suppress(Error), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


@unaudited("The row has no content yet. The backup is recorded.")
def get_state(target: str, *, hotel_id: UUID | None = None) -> BackupState:
    """Return the row of a target, and insert it if it is missing."""
    state, _created = BackupState.objects.select_related("hotel").get_or_create(
        target=target, defaults={"hotel_id": hotel_id}
    )
    return state


@unaudited("The caller records the backup.")
def store_success(state: BackupState, backup: StoredBackup) -> None:
    """Store a complete backup as the newest one of its target, and schedule the next backup."""
    state.name, state.succeeded_at, state.size = backup.name, backup.created_at, backup.size
    state.error = ""
    state.next_at = _next_time(state)
    state.save(update_fields=["name", "succeeded_at", "size", "error", "next_at"])


@unaudited("The caller records the failure.")
def store_failure(state: BackupState, error: str) -> None:
    """Store why no backup was made, and schedule another attempt if backups of the target are scheduled."""
    state.error = error[:1000]
    state.next_at = database_now() + RETRY if state.next_at else None
    state.save(update_fields=["error", "next_at"])


@unaudited("The caller records the drill.")
def store_drill(state: BackupState, *, name: str, error: str) -> None:
    """Store the result of a restore drill of the backup `name`. `error` is empty if the drill succeeded."""
    now = database_now()
    state.drill_error = error[:1000]
    state.next_drill_at = now + (FAILED_DRILL_INTERVAL if error else DRILL_INTERVAL)
    if not error:
        state.drilled_name, state.drilled_at = name, now
    state.save(update_fields=["drill_error", "next_drill_at", "drilled_name", "drilled_at"])


def _next_time(state: BackupState) -> datetime.datetime | None:
    """Return the time of the next scheduled backup, or None for targets that only commands back up."""
    if state.hotel is not None:
        return next_night(database_now(), state.hotel.time_zone)
    return next_night(database_now(), "UTC") if state.target == Kind.PLATFORM else None

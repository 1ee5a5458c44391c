"""Rotation of backups: which backups of one target are kept (grandfather, father, son)."""

import datetime
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from tenants.lifecycle.stored_backups.names import StoredBackup

#: All backups of this period are kept: if data were damaged by mistake during a day, only an earlier backup of the same
#: day has the intact data of that day.
KEEP_ALL_FOR = datetime.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Retention:
    """The number of days, ISO weeks and months for which the newest backup is kept, in UTC.

    Only days, weeks and months with a backup count, so no backup is deleted while no new backup is made.
    """

    daily: int
    weekly: int
    monthly: int


def find_expired(
    backups: Iterable[StoredBackup], retention: Retention, *, verified: Collection[str] = ()
) -> list[StoredBackup]:
    """Return the backups of one target that can be deleted, the oldest first.

    The newest backup and all backups of the 24 hours before it are always kept. Backups that passed a restore drill
    are kept too: `verified` contains their names.
    """
    newest_first = sorted(backups, key=lambda backup: (backup.created_at, backup.name), reverse=True)
    kept = set(verified)
    if newest_first:
        recent = newest_first[0].created_at - KEEP_ALL_FOR
        kept |= {backup.name for backup in newest_first if backup.created_at > recent}
    periods: list[tuple[int, Callable[[datetime.datetime], tuple[int, ...]]]] = [
        (retention.daily, lambda time: (time.year, time.month, time.day)),
        (retention.weekly, lambda time: time.isocalendar()[:2]),
        (retention.monthly, lambda time: (time.year, time.month)),
    ]
    for count, period_of in periods:
        newest: dict[tuple[int, ...], str] = {}
        for backup in newest_first:
            newest.setdefault(period_of(backup.created_at.astimezone(datetime.UTC)), backup.name)
        kept |= set(list(newest.values())[: max(count, 0)])
    return [backup for backup in reversed(newest_first) if backup.name not in kept]

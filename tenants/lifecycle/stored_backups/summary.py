"""The age of the last good backup of each hotel, for metrics, the command `doctor` and the admin."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from tenants.models import HotelStatus

#: A hotel is backed up every night, so its last good backup is overdue after this time.
OVERDUE_AFTER = timedelta(hours=36)

#: A query for the age of the last backup and of the last drill of each target that is backed up every night: the hotels
#: and the platform. The creation of a hotel is used if the hotel has no backup yet. The creation of the target's row is
#: used if the target had no drill yet.
_SUMMARY = """
WITH target AS (
    SELECT hotel.slug, state.name, state.error, state.drill_error,
        coalesce(state.succeeded_at, hotel.created_at) AS backed_up_at,
        coalesce(state.drilled_at, state.created_at, hotel.created_at) AS drilled_at
    FROM tenants_hotel hotel LEFT JOIN tenants_backupstate state ON state.hotel_id = hotel.id
    WHERE hotel.status NOT IN (%(provisioning)s, %(archived)s)
    UNION ALL
    SELECT 'platform', name, error, drill_error, coalesce(succeeded_at, created_at), coalesce(drilled_at, created_at)
    FROM tenants_backupstate WHERE target = 'platform'
), aged AS (
    SELECT *, extract(epoch FROM statement_timestamp() - backed_up_at)::float8 AS seconds,
        extract(epoch FROM statement_timestamp() - drilled_at)::float8 AS drill_seconds
    FROM target
)
SELECT count(*), coalesce(max(seconds), 0), count(*) FILTER (WHERE seconds > %(overdue)s),
    coalesce(max(drill_seconds), 0), count(*) FILTER (WHERE drill_error <> ''),
    coalesce((array_agg(slug ORDER BY seconds DESC) FILTER (WHERE seconds > %(overdue)s))[1:5], '{}'),
    coalesce((array_agg(slug || ': ' || drill_error ORDER BY slug) FILTER (WHERE drill_error <> ''))[1:5], '{}'),
    coalesce((array_agg(slug || ': ' || error ORDER BY slug) FILTER (WHERE error <> ''))[1:5], '{}')
FROM aged
"""


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """The state of the backups of all hotels and of the platform.

    The lists contain at most five hotels: those that are overdue, with the longest overdue first, the errors of the
    last drills, and the errors of the last backups.
    """

    targets: int = 0
    oldest_seconds: float = 0.0
    overdue: int = 0
    oldest_drill_seconds: float = 0.0
    failed_drills: int = 0
    overdue_slugs: tuple[str, ...] = ()
    drill_errors: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def read_summary() -> BackupSummary:
    """Read the state of all backups with one query. Needs the platform's context."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SUMMARY,
            {
                "provisioning": HotelStatus.PROVISIONING.value,
                "archived": HotelStatus.ARCHIVED.value,
                "overdue": OVERDUE_AFTER.total_seconds(),
            },
        )
        targets, oldest, overdue, oldest_drill, failed_drills, *lists = cursor.fetchone()
    overdue_slugs, drill_errors, errors = (tuple(texts) for texts in lists)
    return BackupSummary(
        targets, oldest, overdue, oldest_drill, failed_drills, overdue_slugs, drill_errors, errors
    )

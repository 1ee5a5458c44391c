"""The search for trails with expired events. Expired events are older than the retention period of the trail."""

import datetime
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection

from audit.sealing.models import Log
from tenants.context import platform_context

# Events are deleted in whole tiles. One query reads the oldest tile of each trail. The query reads no events.
# The ids of events begin with their time in milliseconds. A full tile of the log stores 256 ids in 4,096 bytes, so the
# last 16 bytes are the id of its last event.
_EXPIRED = """
SELECT log_id, hotel_id, overdue FROM (
    SELECT log.id AS log_id, log.hotel_id,
        now() - make_interval(days => coalesce(log.keep_days, %(keep_days)s)) - to_timestamp(
            ('x' || encode(substring(tile.ids FROM 4081 FOR 6), 'hex'))::bit(48)::bigint / 1000.0) AS overdue
    FROM audit_log AS log JOIN audit_tile AS tile
        ON tile.log_id = log.id AND tile.level = 0 AND tile.number = log.first_kept / 256
    WHERE log.closed_at IS NULL AND NOT log.legal_hold AND coalesce(log.keep_days, %(keep_days)s) > 0
        AND octet_length(tile.ids) = 4096
) AS oldest
WHERE overdue > interval '0'
ORDER BY overdue DESC
"""


class ExpiredTrail(NamedTuple):
    """A trail whose oldest tile (block of events) has only expired events.

    `overdue` is the time since the end of the retention period of this tile.
    """

    log_id: UUID
    hotel_id: UUID | None
    overdue: datetime.timedelta


def keep_days_of(log: Log) -> int:
    """Return the retention period of the trail in days, or else the platform's period. 0 means no limit."""
    return settings.AUDIT_KEEP_DAYS if log.keep_days is None else log.keep_days


def find_expired_trails() -> list[ExpiredTrail]:
    """Return the trails that have expired events and no legal hold. The trail with the oldest events comes first."""
    with platform_context(), connection.cursor() as cursor:
        cursor.execute(_EXPIRED, {"keep_days": settings.AUDIT_KEEP_DAYS})
        return [ExpiredTrail._make(row) for row in cursor.fetchall()]

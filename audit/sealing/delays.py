"""The database transaction that delays sealing.

An event is sealed when its transaction, and all transactions that began to write before it, have ended. A transaction
that stays open therefore delays the sealing of all trails, also if it belongs to another database of the server.
"""

import datetime
from dataclasses import dataclass

from django.db import connection

from tenants.context import platform_context

_OLDEST = """
WITH horizon AS (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS transaction)
SELECT transaction, pid, application_name, datname, xact_start, gid FROM horizon
JOIN (
    SELECT backend_xid AS xid, pid, application_name, datname, xact_start, NULL AS gid FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL
    UNION ALL
    SELECT transaction, NULL, NULL, database, prepared, gid FROM pg_prepared_xacts
) AS running ON running.xid::text::bigint = transaction % 4294967296
WHERE pid IS DISTINCT FROM pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class OldestTransaction:
    """The oldest open database transaction that has written something.

    `started_at` is None if our database role may not see the start time.
    """

    transaction: int
    pid: int | None
    application: str
    database: str
    started_at: datetime.datetime | None
    prepared_as: str | None

    def __str__(self) -> str:
        since = f" since {self.started_at:%Y-%m-%d %H:%M:%S} UTC" if self.started_at else ""
        if self.prepared_as is not None:
            return (
                f"the prepared transaction {self.prepared_as!r} in the database {self.database}{since}. End it with "
                "COMMIT PREPARED or ROLLBACK PREPARED"
            )
        application = f" ({self.application})" if self.application else ""
        return f"process {self.pid}{application} in the database {self.database}, open{since}"


def find_oldest_transaction() -> OldestTransaction | None:
    """Return the transaction that delays sealing now, or None if no other transaction is writing."""
    with platform_context(), connection.cursor() as cursor:
        cursor.execute(_OLDEST)
        row = cursor.fetchone()
    if row is None:
        return None
    transaction, pid, application, database, started_at, gid = row
    return OldestTransaction(transaction, pid, application or "", database or "", started_at, gid)

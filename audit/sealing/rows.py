"""Reading of events in the order in which they are sealed: by the number of their transaction, and then by id.

Events are read only from transactions that are older than the oldest running transaction. All of these transactions
have ended, so no later commit can add an event before an event that is already sealed. The clocks of the writers do not
matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.db import connection

from audit.entries import entry
from audit.models import Event, ExactDecoder
from audit.sealing.models import FIRST_ID
from audit.transparency.merkle import leaf_hash
from tenants.context import platform_context

#: The number of transactions in the first range that is read, so that a large table is not read completely.
_WINDOW = 100_000
_WINDOW_FACTOR = 8

_decode = ExactDecoder().decode


class Key(NamedTuple):
    """The position of an event in the order in which events are sealed.

    A key with the id FIRST_ID comes before all events of its database transaction.
    """

    transaction: int
    id: UUID = FIRST_ID


class EventRow(NamedTuple):
    """A row of the event table: the values that are sealed, and the number of the database transaction."""

    transaction: int
    id: UUID
    at: datetime
    event: str
    version: int
    severity: int
    outcome: int
    actor_kind: str
    actor_id: str
    initiator_kind: str | None
    initiator_id: str | None
    request_id: str
    task_id: str
    idempotency_key: str
    subject_kind: str
    subject_id: str
    data: dict[str, Any]
    personal: dict[str, Any] | None

    @property
    def key(self) -> Key:
        return Key(self.transaction, self.id)

    @property
    def entry(self) -> bytes:
        return entry(cast("Event", self))

    @property
    def leaf(self) -> bytes:
        """Return the hash of the canonical text of the event, which is a leaf of the Merkle tree."""
        return leaf_hash(self.entry)


_COLUMNS = ", ".join(EventRow._fields)
_READ = f"""
SELECT {_COLUMNS} FROM audit_event
WHERE transaction >= %s AND transaction <= %s AND (transaction, id) > (%s, %s) AND (transaction, id) <= (%s, %s)
ORDER BY transaction, id LIMIT %s
"""  # noqa: S608 - the columns are constants


def read_horizon() -> tuple[int, int]:
    """Return the number of the oldest running transaction, and the number of the next transaction.

    All transactions before the oldest running transaction have ended. Their events are visible to later statements.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
            "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        )
        oldest, following = cursor.fetchone()
        return oldest, following


def read_rows(after: Key, last: Key, limit: int) -> list[EventRow]:
    """Return the events of the current tenant after the key `after`, up to the key `last`, in the order of sealing."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [after.transaction, last.transaction, *after, *last, limit])
        return [_row(values) for values in cursor.fetchall()]


def read_by_ids(ids: Sequence[UUID]) -> list[EventRow]:
    """Return the events of the current tenant with these ids, in any order. Missing events are left out."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM audit_event WHERE id = ANY(%s)", [list(ids)])  # noqa: S608
        return [_row(values) for values in cursor.fetchall()]


def read_unsealed(after: Key, horizon: int, limit: int) -> tuple[list[EventRow], Key]:
    """Return at most `limit` events after the key `after` whose transaction numbers are below `horizon`.

    Also return the key up to which the event table was read.
    """
    rows: list[EventRow] = []
    window = _WINDOW
    while after.transaction < horizon:
        end = Key(min(after.transaction + window, horizon))
        found = read_rows(after, end, limit - len(rows))
        rows += found
        if len(rows) >= limit:
            return rows, rows[-1].key
        after = end
        window *= _WINDOW_FACTOR
    return rows, after


def is_sealed(after: Key) -> bool:
    """Return whether no visible event comes after `after`, the position of the last sealed event.

    Return False if this server has not reached the transaction id of `after`, because the database was copied from
    another server.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint >= %s AND NOT EXISTS ("
            "SELECT FROM audit_event WHERE transaction >= %s AND (transaction, id) > (%s, %s))",
            [after.transaction, after.transaction, *after],
        )
        return bool(cursor.fetchone()[0])


def first_unsealed_id(after: Key) -> UUID | None:
    """Return the smallest id of the events that are not sealed yet, or None if all events are sealed.

    `after` is the position of the last sealed event. With OFFSET 0, PostgreSQL reads only the events after `after`.
    Otherwise PostgreSQL could read all events in the order of their ids.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM (SELECT id FROM audit_event WHERE transaction >= %s "
            "AND (transaction, id) > (%s, %s) OFFSET 0) AS unsealed ORDER BY id LIMIT 1",
            [after.transaction, *after],
        )
        row = cursor.fetchone()
        return row[0] if row else None


def count_unsealed(after: Key, limit: int) -> tuple[int, datetime | None]:
    """Return the number of events after the key `after`, and the time of the oldest of these events.

    At most `limit` events are counted.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), min(at) FROM (SELECT at FROM audit_event WHERE transaction >= %s "
            "AND (transaction, id) > (%s, %s) LIMIT %s) AS unsealed",
            [after.transaction, *after, limit],
        )
        count, oldest = cursor.fetchone()
        return count, oldest


def _row(values: tuple[Any, ...]) -> EventRow:
    # JSON columns are decoded here, because Django does not decode JSON in rows that a cursor returns.
    *others, data, personal = values
    return EventRow._make([*others, _decode(data), None if personal is None else _decode(personal)])


# A query for the open transaction that delays sealing. It may belong to another database of the server.

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
    started_at: datetime | None
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

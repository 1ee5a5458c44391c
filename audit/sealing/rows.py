"""Reading events in the order in which they are sealed: by the number of their transaction, then by id.

Every event of a transaction with a number below the oldest running transaction is visible, because that transaction and
all transactions before it have ended. So no later commit can add an event before an event that is sealed already. The
clocks of the writers do not matter.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.db import connection

from audit.entries import entry
from audit.models import Event, ExactDecoder
from audit.sealing.models import FIRST_ID
from audit.transparency.merkle import leaf_hash

#: The number of transactions that one query covers at first. The planner then reads only a part of a large table.
_WINDOW = 100_000
_WINDOW_FACTOR = 8

_decode = ExactDecoder().decode


class Key(NamedTuple):
    """The place of an event in the order of sealing. With FIRST_ID, the place before all events of the transaction."""

    transaction: int
    id: UUID = FIRST_ID


class EventRow(NamedTuple):
    """The columns of an event that its entry contains, and its transaction."""

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
        """The leaf hash of the event's entry."""
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
    """Return the events of the current tenant after one place, up to another, in the order of sealing."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [after.transaction, last.transaction, *after, *last, limit])
        return [_row(values) for values in cursor.fetchall()]


def read_by_ids(ids: Sequence[UUID]) -> list[EventRow]:
    """Return the events of the current tenant with these ids, in any order. Missing events are left out."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM audit_event WHERE id = ANY(%s)", [list(ids)])  # noqa: S608
        return [_row(values) for values in cursor.fetchall()]


def read_unsealed(after: Key, horizon: int, limit: int) -> tuple[list[EventRow], Key]:
    """Return at most `limit` events after the place `after` whose transactions are below `horizon`.

    Also return the place up to which all events are returned. The table is read in windows of transaction numbers.
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
    """Return whether no event after the place `after` is visible, and this server has reached its transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint >= %s AND NOT EXISTS ("
            "SELECT FROM audit_event WHERE transaction >= %s AND (transaction, id) > (%s, %s))",
            [after.transaction, after.transaction, *after],
        )
        return bool(cursor.fetchone()[0])


def count_unsealed(after: Key, limit: int) -> tuple[int, datetime | None]:
    """Return the number of visible events after the place `after`, at most `limit`, and the time of the oldest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), min(at) FROM (SELECT at FROM audit_event WHERE transaction >= %s "
            "AND (transaction, id) > (%s, %s) LIMIT %s) AS unsealed",
            [after.transaction, *after, limit],
        )
        count, oldest = cursor.fetchone()
        return count, oldest


def _row(values: tuple[Any, ...]) -> EventRow:
    # Django does not decode JSON in the rows of a cursor.
    *others, data, personal = values
    return EventRow._make([*others, _decode(data), None if personal is None else _decode(personal)])

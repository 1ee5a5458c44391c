"""Functions that find events by position in a transparency log, and that find positions by time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from audit.sealing.models import Log
from audit.sealing.rows import EventRow, read_by_ids
from audit.sealing.tiles import ids_of, leaf_tiles, position_of
from audit.selectors import CLOCK_TOLERANCE
from audit.transparency.tiles import TILE_WIDTH
from hotelagent.core.ids import first_uuid7_at
from tenants.context import Tenant, context_of

_FIND = "SELECT transaction, id FROM audit_event"


class SealedEvent(NamedTuple):
    """A position in a log, with the id and the row of its event. `row` is None if the event is missing."""

    position: int
    id: UUID
    row: EventRow | None


def read_positions(log: Log, tenant: Tenant, start: int, end: int) -> Iterator[SealedEvent]:
    """Yield the events at the log positions from `start` to `end - 1`.

    One query reads the up to 256 events of one tile.
    """
    for tile in leaf_tiles(log, start=start):
        first = tile.number * TILE_WIDTH
        if first >= end:
            return
        ids = ids_of(tile)[: max(log.size - first, 0)]
        if not ids:
            return
        with context_of(tenant):
            rows = {row.id: row for row in read_by_ids(ids)}
        for position, event_id in enumerate(ids, start=first):
            if start <= position < end:
                yield SealedEvent(position, event_id, rows.get(event_id))


def first_position_at(log: Log, tenant: Tenant, moment: datetime) -> int:
    """Return the first log position with an event at this time or later.

    If there is no such event, return the size of the log.
    """
    parameters = [first_uuid7_at(moment - CLOCK_TOLERANCE), moment]
    position = _position(
        log, tenant, f"{_FIND} WHERE id >= %s AND at >= %s ORDER BY 1, 2 LIMIT 1", parameters
    )
    return log.size if position is None else position


def end_position_at(log: Log, tenant: Tenant, moment: datetime) -> int:
    """Return the position after the last sealed event before this time, or 0 if there is no such event."""
    parameters = [first_uuid7_at(moment + CLOCK_TOLERANCE), moment, log.sealed_transaction, log.sealed_id]
    position = _position(
        log,
        tenant,
        f"{_FIND} WHERE id < %s AND at < %s AND (transaction, id) <= (%s, %s) ORDER BY 1 DESC, 2 DESC LIMIT 1",
        parameters,
    )
    return 0 if position is None else position + 1


def _position(log: Log, tenant: Tenant, query: str, parameters: list[Any]) -> int | None:
    with context_of(tenant), connection.cursor() as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
    return position_of(log, row[1], row[0]) if row else None

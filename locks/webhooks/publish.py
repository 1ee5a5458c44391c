"""What follows from a change of stays: webhooks are told, and who waits gets a turn (migration 0004)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from locks.holds import rows
from tenants.context import current_hotel

# Written before the move, a notice says where the stay was: now that becomes `moved_from`, and the rest is as it is
# now. Those without it are of this transaction, for nobody commits one; keys begin with the time, so that no others
# than those since its start are read.
_COMPLETE = """
UPDATE locks_webhookdelivery notice
SET data = notice.data || jsonb_build_object(
    'room', room.id, 'number', room.number, 'room_type', room.room_type, 'check_in', lower(stay.nights),
    'check_out', upper(stay.nights), 'status', stay.status, 'fencing_token', stay.fencing_token,
    'moved_from', jsonb_build_object(
        'room', notice.data -> 'room', 'number', notice.data -> 'number', 'room_type', notice.data -> 'room_type',
        'check_in', notice.data -> 'check_in', 'check_out', notice.data -> 'check_out'))
FROM locks_allocation stay JOIN locks_room room ON room.id = stay.room_id
WHERE notice.id >= (lpad(to_hex(floor(extract(epoch FROM now()) * 1000)::bigint), 12, '0')
        || '70008000000000000000')::uuid
  AND notice.event = 'stay.moved' AND NOT notice.data ? 'moved_from'
  AND stay.id = ANY(%(ids)s::uuid[]) AND notice.data ->> 'hold' = stay.id::text
RETURNING notice.id
"""


def announce(event: str, ids: Sequence[UUID]) -> bool:
    """Say in the caller's transaction that this happened to these stays.

    `event` is a webhook's topic, or where a stay frees its room another event of the trail; for a move see `moving`.
    For `hold.created`: whether somebody waits who could have one of these rooms now, were it not for these holds.
    """
    if not ids:
        return False
    [row] = rows(
        "SELECT locks_changed(%(hotel)s, %(event)s, %(ids)s::uuid[]) AS passed_over",
        {"hotel": current_hotel().id, "event": event, "ids": list(ids)},
    )
    return bool(row["passed_over"])


@contextmanager
def moving(ids: Sequence[UUID]) -> Iterator[None]:
    """Around what moves these stays, in the caller's transaction: who waits gets a turn at what they leave."""
    announce("stay.moved", ids)
    yield
    if ids:
        rows(_COMPLETE, {"ids": list(ids)})

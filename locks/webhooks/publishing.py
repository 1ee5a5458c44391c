"""Publishing of changes of allocations: webhook deliveries, and waiting list entries that may get a room now."""

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction

from locks.holds import rows
from locks.webhooks import policy
from locks.webhooks.event_types import WebhookEvent
from tenants.context import current_hotel
from tenants.queue import due

# `stay.moved` is published before the move, so its data holds the old room and nights. This statement moves them to
# `moved_from` and puts the new ones in their place. Only the current transaction writes deliveries without
# `moved_from`, because a move always commits with it. Ids of deliveries begin with their time in milliseconds, so the
# condition on the id limits the scan to deliveries that were created since this transaction began.
_COMPLETE_MOVES = """
UPDATE locks_webhookdelivery delivery
SET data = delivery.data || jsonb_build_object(
    'room', room.id, 'number', room.number, 'room_type', room.room_type, 'check_in', lower(stay.nights),
    'check_out', upper(stay.nights), 'status', stay.status, 'fencing_token', stay.fencing_token,
    'moved_from', jsonb_build_object(
        'room', delivery.data -> 'room', 'number', delivery.data -> 'number',
        'room_type', delivery.data -> 'room_type', 'check_in', delivery.data -> 'check_in',
        'check_out', delivery.data -> 'check_out'))
FROM locks_allocation stay JOIN locks_room room ON room.id = stay.room_id
WHERE delivery.id >= (lpad(to_hex(floor(extract(epoch FROM now()) * 1000)::bigint), 12, '0')
        || '70008000000000000000')::uuid
  AND delivery.event = 'stay.moved' AND NOT delivery.data ? 'moved_from'
  AND stay.id = ANY(%(ids)s::uuid[]) AND delivery.data ->> 'hold' = stay.id::text
RETURNING delivery.id
"""

_LIVE_HOLDS = """
SELECT id, expires_at, clock_timestamp() AS now FROM locks_allocation
WHERE id = ANY(%(ids)s::uuid[]) AND status = 'held' AND expires_at > clock_timestamp()
"""


def publish(event: str, allocation_ids: Sequence[UUID]) -> bool:
    """Write the deliveries of an event to the webhooks that subscribe to it, in the caller's transaction.

    If the event frees rooms, the waiting list entries that these rooms could serve become due. `event` is one of
    `WebhookEvent`, or an audit event that frees rooms. For a move use `publishing_moves`.

    After `hold.created`, return whether the waiting list has an entry that could have had one of these rooms. For
    other events return False.
    """
    if not allocation_ids:
        return False
    [row] = rows(
        "SELECT locks_changed(%(hotel)s, %(event)s, %(ids)s::uuid[]) AS waited_for",
        {"hotel": current_hotel().id, "event": event, "ids": list(allocation_ids)},
    )
    return bool(row["waited_for"])


@contextmanager
def publishing_moves(allocation_ids: Sequence[UUID]) -> Iterator[None]:
    """Publish `stay.moved` for allocations that the block moves, in the caller's transaction.

    Waiting list entries for the rooms and nights that the allocations leave become due.
    """
    publish("stay.moved", allocation_ids)
    yield
    if allocation_ids:
        rows(_COMPLETE_MOVES, {"ids": list(allocation_ids)})


def publish_expiring_holds(hold_ids: Sequence[UUID]) -> None:
    """Publish `hold.expiring_soon` for the holds that expire within `policy.EXPIRY_WARNING_SECONDS`.

    A hold that has more time left is scheduled for its warning. A hold that was published is scheduled once more for
    its expiry, because it may be extended until then. Holds that have ended leave the due queue.
    """
    warning = datetime.timedelta(seconds=policy.EXPIRY_WARNING_SECONDS)
    with transaction.atomic():
        live = rows(_LIVE_HOLDS, {"ids": list(hold_ids)})
        expiring = [row["id"] for row in live if row["expires_at"] - warning <= row["now"]]
        publish(WebhookEvent.HOLD_EXPIRING_SOON.value, expiring)
        due.schedule(
            kind="expiring",
            items=[
                (row["id"], row["expires_at"] if row["id"] in expiring else row["expires_at"] - warning)
                for row in live
            ],
        )
        live_ids = {row["id"] for row in live}
        due.cancel(kind="expiring", ids=[hold for hold in hold_ids if hold not in live_ids])

"""Functions that lock rooms, publish changes to allocations, and end expired holds.

When the owner of a hold extends, confirms or releases the hold, the database functions in `locks/sql` lock the rooms
and publish the change instead.
"""

import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, Func

from audit.registry import EventType
from locks import events, metrics
from locks.database import fetch_rows, function_context
from locks.errors import RoomNotFound
from locks.holds import AllocatedRoom
from locks.models import Allocation, AllocationStatus, Room
from tenants.queue import due

#: A query expression for the current time of the database, which is compared with the expiry of holds.
NOW = Func(function="clock_timestamp", output_field=DateTimeField())

# The statement casts jsonb to json, because Django configures psycopg to decode json but to return jsonb as text.
_PUBLISH = """
SELECT locks_publish(
    %(context)s::jsonb, %(event)s, %(event_fields)s::text[], change.id, coalesce(change.details, '{}')
)::json AS allocation
FROM unnest(%(ids)s::uuid[], %(details)s::jsonb[]) AS change (id, details)
"""
_ALLOCATION_FIELDS = {"room", "check_in", "check_out"}
_DESCRIBE = "SELECT locks_describe(id)::json AS allocation FROM unnest(%(ids)s::uuid[]) AS id"
_EXPIRE_OVERLAPPING = """
SELECT coalesce(sum(locks_expire_overlapping(
    %(context)s::jsonb, room_id, daterange(%(check_in)s, %(check_out)s))), 0) AS expired
FROM (
    SELECT DISTINCT room_id FROM locks_allocation
    WHERE room_id = ANY(%(rooms)s::int[]) AND nights && daterange(%(check_in)s, %(check_out)s)
      AND locks_occupies(status) AND status = 'held' AND expires_at <= clock_timestamp()
    ORDER BY room_id
) AS expired_hold
"""


def lock_rooms(ids: Collection[int]) -> None:
    """Lock rooms until the end of the caller's transaction.

    Other transactions that allocate one of these rooms wait until then. Raises RoomNotFound.
    """
    locked = set(
        Room.objects.select_for_update(no_key=True)
        .filter(id__in=ids)
        .order_by("id")
        .values_list("id", flat=True)
    )
    if missing := sorted(set(ids) - locked):
        raise RoomNotFound(f"No room has the id {', '.join(map(str, missing))}.", rooms=missing)


def describe(ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return the allocations with these ids in the order of `ids`, in the JSON form of `locks_describe`."""
    return [row["allocation"] for row in fetch_rows(_DESCRIBE, {"ids": list(ids)})]


def publish(
    event: EventType, ids: Sequence[UUID], *, moved_from: Sequence[Mapping[str, Any]] = ()
) -> list[AllocatedRoom]:
    """Record an event about changed allocations, in the caller's transaction. Return the allocations in order of `ids`.

    Also updates the queue of due items and the waiting list, and creates webhook deliveries. If the allocations were
    moved, `moved_from` must contain the result of `describe` before the move.
    """
    if not ids:
        return []
    rows = fetch_rows(
        _PUBLISH,
        {
            "context": json.dumps(function_context()),
            "event": event.name,
            "event_fields": event_fields(event),
            "ids": list(ids),
            "details": [json.dumps(_move_details(allocation)) for allocation in moved_from],
        },
    )
    return [AllocatedRoom.from_json(row["allocation"]) for row in rows]


def event_fields(event: EventType) -> list[str]:
    """Return the sorted field names of an event type, without the fields for the room and the dates."""
    return sorted(event.all_fields - _ALLOCATION_FIELDS)


def _move_details(moved_from: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "moved_from": moved_from,
        "from_room": moved_from["number"],
        "from_check_in": moved_from["check_in"],
        "from_check_out": moved_from["check_out"],
    }


def expire_overlapping(rooms: Sequence[int], *, check_in: datetime.date, check_out: datetime.date) -> None:
    """End the expired holds of these rooms that overlap with the given nights, in the caller's transaction.

    The caller must have locked the rooms.
    """
    [row] = fetch_rows(
        _EXPIRE_OVERLAPPING,
        {
            "context": json.dumps(function_context()),
            "rooms": list(rooms),
            "check_in": check_in,
            "check_out": check_out,
        },
    )
    metrics.ENDED.labels(how="expired").inc(row["expired"])


def expire_holds(*, ids: Sequence[UUID]) -> list[UUID]:
    """End the given holds that have expired, and return the ids of the ended holds.

    A hold is scheduled in the queue of due items again if it has not expired, or if another transaction is changing the
    hold.
    """
    holds = Allocation.objects.filter(id__in=ids, status=AllocationStatus.HELD)
    with transaction.atomic():
        expired = list(
            holds.filter(expires_at__lte=NOW)
            .select_for_update(skip_locked=True, no_key=True)
            .order_by("id")
            .values_list("id", flat=True)
        )
        Allocation.objects.filter(id__in=expired).update(status=AllocationStatus.EXPIRED)
        publish(events.HOLD_EXPIRED, expired)
        still_held = {
            id_: expires_at for id_, expires_at in holds.values_list("id", "expires_at") if expires_at
        }
        due.schedule(kind="hold", items=still_held.items())
        due.cancel(kind="hold", ids=[hold for hold in ids if hold not in still_held])
    metrics.ENDED.labels(how="expired").inc(len(expired))
    return expired

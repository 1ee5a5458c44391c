"""The due queue: a table of items that hotels have to process at a given time (`tenants_dueitem`).

The dispatcher (`tenants.queue.dispatch`) sends due items to workers. If a worker dies, its items are sent again, so a
task must skip items that are already done. Code that makes something due writes the due item in the same transaction.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from hotelagent.core.tracing import spans
from tenants.context import current_hotel
from tenants.queue.initiators import initiator_as_text

LEASE = datetime.timedelta(seconds=300)
#: The processing of an item continues the current trace if the item is due within this time. A trace with later items
#: would be incomplete for days, and the tracing system may delete its first spans before the last item is processed.
TRACE_DURATION = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ItemKind:
    """A kind of due item, such as "send a reminder", with the name of the Celery task that processes such items.

    The task is called in the hotel's context, with a list of the ids of due items.
    """

    name: str
    task: str
    batch_size: int
    lease: datetime.timedelta
    daily: bool
    recurring: bool = False
    combine_hotels: bool = False


_kinds: dict[str, ItemKind] = {}


def register(
    *,
    kind: str,
    task: str,
    batch_size: int = 100,
    lease: datetime.timedelta = LEASE,
    daily: bool = False,
    recurring: bool = False,
    combine_hotels: bool = False,
) -> None:
    """Register the Celery task that processes the due items of one kind. Call this function in `AppConfig.ready()`.

    `batch_size` is the maximum number of items per Celery message. An uncompleted item is sent again after the time
    `lease`. If `daily` is true, each active hotel gets one item per day. A restored hotel keeps only `recurring` items.
    With `combine_hotels`, a message can contain items of several hotels.
    """
    _kinds[kind] = ItemKind(
        name=kind,
        task=task,
        batch_size=batch_size,
        lease=lease,
        daily=daily,
        recurring=recurring,
        combine_hotels=combine_hotels,
    )


def kinds() -> dict[str, ItemKind]:
    """Return the registered kinds of due items, as a dict from name to ItemKind."""
    return dict(_kinds)


def schedule(
    *, kind: str, items: Iterable[tuple[UUID, datetime.datetime]], keep_initiator: bool = False
) -> None:
    """Add items of the current hotel to the due queue, in the caller's transaction.

    Each item is a pair of id and due time. If an item is already in the queue, its due time is replaced.
    `keep_initiator` stores who requested the current work, such as a person, as the initiator of the items. The events
    of the task that processes the items name the initiator. Raises LookupError if the kind is not registered.
    """
    ids, due_times = [], []
    for item_id, due_at in items:
        ids.append(item_id)
        due_times.append(due_at)
    if kind not in _kinds:
        raise LookupError(
            f"No task is registered for due items of kind {kind!r}. "
            f"Call due.register(kind={kind!r}, task=...) in AppConfig.ready()."
        )
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            # Sort the items, so that concurrent transactions lock the same rows in the same order.
            "SELECT tenants_schedule_due(%s, %s, item.id, item.due_at, %s, "
            "CASE WHEN item.due_at < now() + make_interval(secs => %s) THEN %s END) FROM ("
            "SELECT * FROM unnest(%s::uuid[], %s::timestamptz[]) AS item (id, due_at) ORDER BY id OFFSET 0) AS item",
            [
                current_hotel().id,
                kind,
                initiator_as_text() if keep_initiator else None,
                TRACE_DURATION.total_seconds(),
                spans.current_traceparent(),
                ids,
                due_times,
            ],
        )


def schedule_daily() -> int:
    """Schedule the daily tasks of all active hotels. Return the number of new due items.

    Each hotel gets one due item for each kind of daily task. The items become due at different times in the next six
    hours, so that they do not delay other tasks. Needs the platform's context.
    """
    daily = [kind.name for kind in _kinds.values() if kind.daily]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
            SELECT hotel.id, kind, hotel.id, spread.due_at, spread.due_at, 0
            FROM tenants_hotel hotel CROSS JOIN unnest(%s::text[]) AS kind
            CROSS JOIN LATERAL (
                SELECT now() + make_interval(secs => abs(hashtext(hotel.id::text || kind) %% 21600)) AS due_at
            ) AS spread
            WHERE hotel.status = 'active'
            ON CONFLICT DO NOTHING
            """,
            [daily],
        )
        return int(cursor.rowcount)


def schedule_for_all_hotels(*, kind: str) -> int:
    """Schedule an item of this kind for each active hotel, unless the hotel already has such an item.

    Return the number of scheduled items. The id of an item is the hotel's id. Needs the platform's context.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
            SELECT id, %s, id, now(), now(), 0 FROM tenants_hotel WHERE status = 'active'
            ON CONFLICT DO NOTHING
            """,
            [kind],
        )
        return int(cursor.rowcount)


def schedule_for_hotels(*, kind: str, hotel_ids: Iterable[UUID], within: datetime.timedelta) -> int:
    """Schedule an item of this kind for each of the hotels, unless the hotel already has such an item.

    The items become due at different times within the time `within`, so that they do not delay other tasks. Return the
    number of scheduled items. The id of an item is the hotel's id. Needs the platform's context.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
            SELECT hotel_id, %s, hotel_id, due_at, due_at, 0 FROM unnest(%s::uuid[]) AS hotel_id
            CROSS JOIN LATERAL (
                SELECT now() + make_interval(secs => abs(hashtext(hotel_id::text)::bigint %% 1000) * %s) AS due_at
            ) AS spread
            ON CONFLICT DO NOTHING
            """,
            [kind, list(hotel_ids), within.total_seconds() / 1000],
        )
        return int(cursor.rowcount)


def cancel(*, kind: str, ids: Iterable[UUID]) -> None:
    """Remove items of the current hotel from the due queue, even if they are not due yet."""
    _delete(kind, ids, "")


def complete(*, kind: str, ids: Iterable[UUID]) -> None:
    """Remove processed items of the current hotel from the due queue. Keep items that were rescheduled for later."""
    _delete(kind, ids, "AND due_at <= clock_timestamp()")


def _delete(kind: str, ids: Iterable[UUID], condition: str) -> None:
    item_ids = list(ids)
    if not item_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM public.tenants_dueitem WHERE hotel_id = %s AND kind = %s AND item_id = ANY(%s) {condition}",  # noqa: S608 - `condition` is one of the two constants above
            [current_hotel().id, kind, item_ids],
        )


#: The value of `claim_at` for items of a suspended hotel, so that the dispatcher never claims these items.
_NEVER = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


def pause_hotel(*, hotel_id: UUID) -> None:
    """Stop sending a hotel's due items to workers. Needs the platform's context."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants_dueitem SET claim_at = %s WHERE hotel_id = %s", [_NEVER, hotel_id])


def resume_hotel(*, hotel_id: UUID) -> None:
    """End the pause of a hotel's due items. The dispatcher then sends overdue items to workers within seconds.

    Must be called in the platform's context.
    """
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants_dueitem SET claim_at = due_at WHERE hotel_id = %s", [hotel_id])

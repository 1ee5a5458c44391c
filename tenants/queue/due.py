"""The due queue: "hotel H has item I of kind K due at T" (DESIGN 4.6).

Time costs what is due, not how many hotels there are: one indexed table, one query a tick. Whoever makes
something due writes its row in the same transaction; the tick hands out what is due and leases it; a handler
that dies gets its ids again when the lease ends. So a handler claims each item by a compare-and-set of its own,
and may find it done.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from tenants.context import current_hotel

LEASE = datetime.timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Kind:
    """`task` is called as `task(ids: list[str])` in the hotel's context, with at most `batch` ids."""

    name: str
    task: str
    batch: int
    lease: datetime.timedelta
    daily: bool
    recurring: bool = False
    together: bool = False


_kinds: dict[str, Kind] = {}


def register(
    *,
    kind: str,
    task: str,
    batch: int = 100,
    lease: datetime.timedelta = LEASE,
    daily: bool = False,
    recurring: bool = False,
    together: bool = False,
) -> None:
    """Say which task handles a kind; call it in `AppConfig.ready()`.

    `lease` is how long after handing out an item is handed out again unless it is done: longer than a batch
    may take, queueing included. `daily`: each active hotel has one item of this kind a day, by itself. `recurring`:
    who deals with an item makes it due again, and doing it late or twice harms nobody: a restored hotel goes on.
    `together`: a message may hold several hotels' items, which then wait for each other: for what asks no system of
    a hotel's own, that may be slow.
    """
    _kinds[kind] = Kind(
        name=kind, task=task, batch=batch, lease=lease, daily=daily, recurring=recurring, together=together
    )


def kinds() -> dict[str, Kind]:
    return dict(_kinds)


def schedule(*, kind: str, items: Iterable[tuple[UUID, datetime.datetime]]) -> None:
    """Make items of the current hotel due, in the caller's transaction. An item that is there is moved."""
    ids, moments = [], []
    for item_id, due_at in items:
        ids.append(item_id)
        moments.append(due_at)
    if kind not in _kinds:
        raise LookupError(f"Nobody handles {kind!r}: call due.register(kind={kind!r}, task=...) in ready().")
    if not ids:
        return
    with connection.cursor() as cursor:
        # Sorted, so that two that schedule the same items lock their rows in one order.
        cursor.execute(
            """
            INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
            SELECT %s, %s, item_id, due_at, due_at, 0
            FROM unnest(%s::uuid[], %s::timestamptz[]) AS items (item_id, due_at) ORDER BY item_id
            ON CONFLICT (hotel_id, kind, item_id)
            DO UPDATE SET due_at = excluded.due_at, claim_at = excluded.claim_at, claims = 0
            """,
            [current_hotel().id, kind, ids, moments],
        )


def cancel(*, kind: str, ids: Iterable[UUID]) -> None:
    """What was scheduled is not wanted any more, whenever it was due."""
    _remove(kind, ids, "")


def done(*, kind: str, ids: Iterable[UUID]) -> None:
    """What was due is dealt with. What was moved into the future meanwhile stays."""
    _remove(kind, ids, "AND due_at <= clock_timestamp()")


def _remove(kind: str, ids: Iterable[UUID], condition: str) -> None:
    listed = list(ids)
    if not listed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM public.tenants_dueitem WHERE hotel_id = %s AND kind = %s AND item_id = ANY(%s) {condition}",  # noqa: S608 - one of two texts above
            [current_hotel().id, kind, listed],
        )


# What the platform does with the queue.


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of one hotel and one kind, claimed until their lease ends."""

    hotel_id: UUID
    kind: Kind
    ids: list[str]


#: Batches of one kind; where they are more than one, they have no more items than one may have.
Group = list[Batch]


def claim(*, limit: int = 5_000) -> list[Batch]:
    """Lease what is due, of active hotels. The platform's context; committed by the caller's transaction.

    SKIP LOCKED: two ticks at once share the work. The plan is a walk along the index on claim_at, and is made to
    be: while the statistics are young the planner would rather go through the hotels one by one, or read all that
    waits and sort it. For the same reason the hotel's status is asked for by a subquery, which is no join.
    """
    registered = list(_kinds.values())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SET LOCAL enable_seqscan = off;
            SET LOCAL enable_sort = off;
            WITH kinds AS (
                SELECT * FROM unnest(%s::text[], %s::interval[]) AS k (kind, lease)
            ), ready AS MATERIALIZED (
                SELECT d.hotel_id, d.kind, d.item_id FROM tenants_dueitem d
                WHERE d.claim_at <= statement_timestamp() AND d.kind = ANY(%s)
                  AND (SELECT h.status FROM tenants_hotel h WHERE h.id = d.hotel_id) = 'active'
                ORDER BY d.claim_at LIMIT %s FOR UPDATE OF d SKIP LOCKED
            )
            UPDATE tenants_dueitem d SET claim_at = clock_timestamp() + kinds.lease, claims = d.claims + 1
            FROM ready JOIN kinds USING (kind)
            WHERE (d.hotel_id, d.kind, d.item_id) = (ready.hotel_id, ready.kind, ready.item_id)
            RETURNING d.hotel_id, d.kind, d.item_id
            """,
            [
                [k.name for k in registered],
                [k.lease for k in registered],
                [k.name for k in registered],
                limit,
            ],
        )
        while cursor.nextset():
            pass
        rows = sorted(cursor.fetchall())
    return _batches(rows)


def plan_daily() -> int:
    """Make due what each hotel does once a day, over the next hours; the platform's context. One statement."""
    daily = [kind.name for kind in _kinds.values() if kind.daily]
    with connection.cursor() as cursor:
        # Each hotel has its own minute: all of them at once would keep the workers from what people wait for.
        cursor.execute(
            """
            INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
            SELECT hotel.id, kind, hotel.id, moment, moment, 0
            FROM tenants_hotel hotel CROSS JOIN unnest(%s::text[]) AS kind
            CROSS JOIN LATERAL (
                SELECT now() + make_interval(secs => abs(hashtext(hotel.id::text || kind) %% 21600)) AS moment) AS own
            WHERE hotel.status = 'active'
            ON CONFLICT DO NOTHING
            """,
            [daily],
        )
        return int(cursor.rowcount)


def _batches(rows: list[tuple[UUID, str, UUID]]) -> list[Batch]:
    batches: list[Batch] = []
    for hotel_id, kind_name, item_id in rows:
        kind = _kinds[kind_name]
        last = batches[-1] if batches else None
        if last is None or (last.hotel_id, last.kind) != (hotel_id, kind) or len(last.ids) >= kind.batch:
            batches.append(last := Batch(hotel_id=hotel_id, kind=kind, ids=[]))
        last.ids.append(str(item_id))
    return batches


def grouped(batches: Iterable[Batch]) -> list[Group]:
    """What goes as one message."""
    groups: list[Group] = []
    last: dict[Kind, Group] = {}
    for batch in batches:
        group = last.get(batch.kind)
        if not group or not batch.kind.together or _items(group) + len(batch.ids) > batch.kind.batch:
            groups.append(group := [])
            last[batch.kind] = group
        group.append(batch)
    return groups


def _items(group: Group) -> int:
    return sum(len(batch.ids) for batch in group)


def give_back(batch: Batch) -> None:
    """End the lease of what could not be handed out, so that the next tick tries again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_dueitem SET claim_at = due_at "
            "WHERE hotel_id = %s AND kind = %s AND item_id = ANY(%s::uuid[])",
            [batch.hotel_id, batch.kind.name, batch.ids],
        )


#: So far off that the tick does not pass over a suspended hotel's items again and again.
_PARKED = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


def park(*, hotel_id: UUID) -> None:
    """Keep a suspended hotel's items out of the tick's way."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants_dueitem SET claim_at = %s WHERE hotel_id = %s", [_PARKED, hotel_id])


def unpark(*, hotel_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants_dueitem SET claim_at = due_at WHERE hotel_id = %s", [hotel_id])

"""The dispatcher of the due queue: it claims due items under a lease and sends them to their Celery tasks.

The cost depends on the number of due items, not on the number of hotels.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from celery.exceptions import Ignore
from django.db import close_old_connections, connection, transaction

from hotelagent.core.tracing import spans
from tenants.context import SYSTEM, actor_context, changed_actor
from tenants.errors import HotelSuspended
from tenants.queue import due, metrics
from tenants.queue.celery_task import BROKER_ERRORS, DUE_HEADER, HOTEL_HEADER, get_task
from tenants.queue.due import ItemKind
from tenants.queue.initiators import header_of

logger = logging.getLogger(__name__)

#: Maximum number of due items that one transaction claims.
CLAIM_LIMIT = 5_000
#: After this number of seconds, a run of the dispatcher claims no more items. A run starts every 5 seconds.
TICK_SECONDS = 4.0
#: Time limit, in seconds, for a message with items of several hotels.
#: After the time limit, the items of each remaining hotel are sent in a separate message.
MESSAGE_SECONDS = 60.0
#: The name of the Celery task that processes a message with due items of several hotels.
COMBINED_TASK = "tenants.tasks.handle_due"


@dataclass(frozen=True, slots=True)
class Batch:
    """Due items of the same hotel and kind that a dispatcher has claimed until the lease of the items ends.

    All items have the same initiator. `initiator` is empty if the items have no initiator. `traceparents` contains the
    traces in which the items were scheduled.
    """

    hotel_id: UUID
    kind: ItemKind
    ids: list[str]
    initiator: str = ""
    traceparents: set[str] = field(default_factory=set)


def dispatch_due_items() -> int:
    """Send all due items to their Celery tasks and return their number. Needs the platform's context.

    If this process dies between the commit of a claim and the sending, a later run sends the claimed items.
    """
    started = time.monotonic()
    sent = 0
    while True:
        with transaction.atomic():
            batches = claim(limit=CLAIM_LIMIT)
        # The caller can be a task that a person started. The Celery messages must not name that person as initiator.
        with actor_context(SYSTEM):
            sent += sum(_send_message(message) for message in group_by_message(batches))
        claimed = sum(len(batch.ids) for batch in batches)
        if claimed < CLAIM_LIMIT or time.monotonic() - started > TICK_SECONDS:
            break
    metrics.TICK.observe(time.monotonic() - started)
    if sent:
        logger.info("sent %s due items to their tasks", sent)
    return sent


def claim(*, limit: int = CLAIM_LIMIT) -> list[Batch]:
    """Claim due items of active hotels in the caller's transaction.

    Items that have been due for the longest time come first. Needs the platform's context. Concurrent callers claim
    different items (SKIP LOCKED).
    """
    kinds = list(due.kinds().values())
    with connection.cursor() as cursor:
        # The two SET LOCAL statements and the scalar subquery make PostgreSQL scan the index on claim_at.
        # Other query plans are slow, because they read the due items hotel by hotel or sort the whole table.
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
            RETURNING d.hotel_id, d.kind, coalesce(d.initiator, ''), d.item_id, coalesce(d.traceparent, '')
            """,
            [
                [kind.name for kind in kinds],
                [kind.lease for kind in kinds],
                [kind.name for kind in kinds],
                limit,
            ],
        )
        while cursor.nextset():
            pass
        rows = sorted(cursor.fetchall())
    return _batches(rows)


def _batches(rows: list[tuple[UUID, str, str, UUID, str]]) -> list[Batch]:
    kinds = due.kinds()
    batches: list[Batch] = []
    for hotel_id, kind_name, initiator, item_id, traceparent in rows:
        kind = kinds[kind_name]
        last = batches[-1] if batches else None
        if (
            last is None
            or (last.hotel_id, last.kind, last.initiator) != (hotel_id, kind, initiator)
            or len(last.ids) >= kind.batch_size
        ):
            batches.append(last := Batch(hotel_id=hotel_id, kind=kind, ids=[], initiator=initiator))
        last.ids.append(str(item_id))
        if traceparent:
            last.traceparents.add(traceparent)
    return batches


def group_by_message(batches: Iterable[Batch]) -> list[list[Batch]]:
    """Group batches of due items into Celery messages. Each message contains due items of one kind only.

    If the attribute `combine_hotels` of the kind is true, a message can contain due items of several hotels, but at
    most `batch_size` due items. Otherwise a message contains one batch. A batch with an initiator has its own message.
    """
    messages: list[list[Batch]] = []
    open_messages: dict[ItemKind, list[Batch]] = {}
    for batch in batches:
        message = open_messages.get(batch.kind)
        if (
            not message
            or batch.initiator
            or not batch.kind.combine_hotels
            or _size(message) + len(batch.ids) > batch.kind.batch_size
        ):
            messages.append(message := [])
            if not batch.initiator:
                open_messages[batch.kind] = message
        message.append(batch)
    return messages


def release(batch: Batch) -> None:
    """End the lease of due items that could not be sent, so that the dispatcher sends them again in its next run."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_dueitem SET claim_at = due_at "
            "WHERE hotel_id = %s AND kind = %s AND item_id = ANY(%s::uuid[])",
            [batch.hotel_id, batch.kind.name, batch.ids],
        )


def _send_message(message: list[Batch]) -> int:
    """Send one Celery message and return the number of due items that it contains.

    If the broker is down, release the due items, so that a later run can send them, and return 0.
    """
    kind, size = message[0].kind, _size(message)
    traceparents = set().union(*(batch.traceparents for batch in message))
    try:
        with spans.dispatch_span(kind=kind.name, traceparents=traceparents, items=size):
            if len(message) == 1:
                _send_to_hotel(message[0])
            else:
                batches = [(str(batch.hotel_id), batch.ids) for batch in message]
                get_task(COMBINED_TASK).delay(kind.name, batches)
    except BROKER_ERRORS:
        logger.exception("could not send %s due items of kind %s to the broker", size, kind.name)
        for batch in message:
            release(batch)
        return 0
    metrics.DISPATCHED.labels(kind=kind.name).inc(size)
    return size


def _send_to_hotel(batch: Batch) -> None:
    headers: dict[str, Any] = {HOTEL_HEADER: str(batch.hotel_id), DUE_HEADER: batch.kind.name}
    get_task(batch.kind.task).apply_async(
        args=(batch.ids,), headers={**headers, **header_of(batch.initiator)}
    )


def _size(message: list[Batch]) -> int:
    return sum(len(batch.ids) for batch in message)


def handle_combined_message(
    *, kind_name: str, batches: list[tuple[str, list[str]]], redelivered: bool
) -> None:
    """Process a Celery message with due items of several hotels. The task runs for one hotel after the other.

    A hotel's items are sent again in a separate message if the hotel's task fails, if the message was redelivered
    after its worker died, or if MESSAGE_SECONDS have passed. A failure in one hotel therefore does not affect the other
    hotels.
    """
    kind = due.kinds()[kind_name]
    task = get_task(kind.task)
    actor = changed_actor(id=task.name, label=task.name)
    started = time.monotonic()
    for hotel_id, ids in batches:
        if redelivered or time.monotonic() - started > MESSAGE_SECONDS:
            _send_separately(kind, hotel_id, ids)
            continue
        try:
            with task.in_hotel(hotel_id), actor_context(actor):
                task(ids)
        except (Ignore, HotelSuspended):
            continue
        except Exception:
            logger.warning(
                "%s failed in a message with other hotels; sending it on its own", task.name, exc_info=True
            )
            close_old_connections()
            _send_separately(kind, hotel_id, ids)


def _send_separately(kind: ItemKind, hotel_id: str, ids: list[str]) -> None:
    """Send the due items of one hotel in a separate Celery message.

    If the broker is down, the dispatcher sends the items again when their lease ends.
    """
    get_task(kind.task).try_delay(ids, headers={HOTEL_HEADER: hotel_id, DUE_HEADER: kind.name})

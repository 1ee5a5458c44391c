"""The deletion of the expired events of one audit trail, in batches of complete tiles.

A tile is a block of 256 hashes of events. One transaction deletes the events of a batch, their tiles of level 0 and the
checkpoints of smaller sizes, and records an event. The tiles of higher levels are kept, because the proofs of the
remaining events need their hashes. The trigger `audit_event_retention_only` refuses every deletion without such an
event.
"""

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection, transaction

from audit.errors import RetentionRefused
from audit.indexing.terms import remove_from_index
from audit.models import Event
from audit.publishing.models import Auditor
from audit.publishing.status import target_statuses
from audit.retention.expired import keep_days_of
from audit.row_changes.tables import carry_rows
from audit.sealing.events import EVENTS_DELETED
from audit.sealing.models import Log, StoredCheckpoint, StoredTile
from audit.sealing.tiles import ids_of
from audit.services import record
from audit.transparency.tiles import TILE_WIDTH
from tenants.context import Tenant, context_of, platform_context
from tenants.database.clock import database_now

#: The number of tiles that one transaction deletes: 8,192 events.
TILES_PER_BATCH = 32
#: The number of pages (blocks of the table) that one entry of the BRIN index on `transaction` covers.
PAGES_PER_RANGE = 32
#: The number of page ranges of the BRIN index that one statement summarizes again.
_RANGES_PER_STATEMENT = 64

_READ_TIMES = """
SELECT id, at FROM audit_event WHERE id = ANY(%s)
"""
_DELETE = """
DELETE FROM audit_event WHERE id = ANY(%s) RETURNING (ctid::text::point)[0]::bigint
"""
# PostgreSQL stores new events in the freed pages, but never shrinks the entries of the BRIN index for these pages.
# This statement computes the entries again, because a search for any transaction would otherwise read these pages.
_SUMMARIZE = """
SELECT brin_desummarize_range(index, page), brin_summarize_range(index, page)
FROM unnest(%s::bigint[]) AS page, CAST('audit_event_transaction' AS regclass) AS index
"""


@dataclass(slots=True)
class Batch:
    """The events that one transaction deleted, and whether expired events may remain.

    `pages` has the first page of each range of pages from which events were deleted.
    """

    deleted: int = 0
    has_more: bool = False
    pages: set[int] = field(default_factory=set)


def delete_batch(log_id: UUID, tenant: Tenant) -> Batch:
    """Delete the oldest expired events of a trail, at most TILES_PER_BATCH tiles (blocks of 256 events).

    Needs the direct connection. Locks the row of the log, so the trail is not sealed in the meantime. Nothing is
    deleted under legal hold. Raises RetentionRefused if expired events must not be deleted.
    """
    with platform_context(), transaction.atomic():
        log = Log.objects.select_for_update(no_key=True).filter(pk=log_id, closed_at=None).first()
        if log is None or log.legal_hold or not (days := keep_days_of(log)):
            return Batch()
        before = database_now() - datetime.timedelta(days=days)
        tiles = _expired_tiles(log, tenant, before)
        if not tiles:
            return Batch()
        _check_trail(log)
        size = _published_size(log, tenant)
        published = [tile for tile in tiles if (tile.number + 1) * TILE_WIDTH <= size]
        if not published:
            raise RetentionRefused(
                f"The checkpoint of the expired events is not published yet: only {size} events are published at each "
                "configured target."
            )
        pages = _delete(log, tenant, published, before)
        return Batch(len(published) * TILE_WIDTH, len(published) == TILES_PER_BATCH, pages)


def _expired_tiles(log: Log, tenant: Tenant, before: datetime.datetime) -> list[StoredTile]:
    """Return the oldest tiles (blocks of 256 events) of the log whose events are all older than the time `before`.

    Raises RetentionRefused if an event of these tiles is missing.
    """
    first = log.first_kept // TILE_WIDTH
    tiles = list(
        StoredTile.objects.filter(
            log=log,
            level=0,
            number__gte=first,
            number__lt=min(first + TILES_PER_BATCH, log.size // TILE_WIDTH),
        ).order_by("number")
    )
    ids = [event_id for tile in tiles for event_id in ids_of(tile)]
    if [tile.number for tile in tiles] != list(range(first, first + len(tiles))) or len(ids) % TILE_WIDTH:
        raise RetentionRefused("A tile of the log is missing or damaged. Run audit_verify.")
    with context_of(tenant), connection.cursor() as cursor:
        cursor.execute(_READ_TIMES, [ids])
        times = dict(cursor.fetchall())
    expired: list[StoredTile] = []
    for tile in tiles:
        found = [times[event_id] for event_id in ids_of(tile) if event_id in times]
        if found and max(found) >= before:
            break
        if len(found) < TILE_WIDTH:
            raise RetentionRefused(f"Events of the tile {tile.number} are missing. Run audit_verify.")
        expired.append(tile)
    return expired


def _check_trail(log: Log) -> None:
    """Raise RetentionRefused if the trail is damaged, because a deletion would remove the evidence."""
    if log.refusal:
        raise RetentionRefused(f"The log is not sealed any more. {log.refusal}")
    if log.verification == "invalid":
        raise RetentionRefused(f"The last verification failed. {log.verification_detail}")


def _published_size(log: Log, tenant: Tenant) -> int:
    """Return the number of events of the log that are published at all configured targets.

    If no target is configured, return the number of all events of the log.
    """
    with context_of(tenant):
        auditor = Auditor.objects.read()
    return min([log.size, *(status.size or 0 for status in target_statuses(log, auditor) if status.is_used)])


def _delete(log: Log, tenant: Tenant, tiles: Sequence[StoredTile], before: datetime.datetime) -> set[int]:
    """Delete the events of the tiles. Return the first page of each BRIN page range from which an event was deleted."""
    ids = [event_id for tile in tiles for event_id in ids_of(tile)]
    last_transaction, last_id = tiles[-1].last_transaction, ids[-1]
    kept = (tiles[-1].number + 1) * TILE_WIDTH
    Log.objects.filter(pk=log.pk).update(
        first_kept=kept, deleted_transaction=last_transaction, deleted_id=last_id, retention_problem=""
    )
    with context_of(tenant), connection.cursor() as cursor:
        # The trigger of the table permits the deletion only after this event is recorded.
        record(
            EVENTS_DELETED,
            log=log.origin,
            first_kept=kept,
            count=len(ids),
            before=before,
            last_transaction=last_transaction,
            last_id=str(last_id),
        )
        # `audit_verify --rows` compares each row with its last recorded change. The deleted events may contain this
        # change, so the state of the rows after these events is recorded first.
        carry_rows(last_transaction=last_transaction or 0, last_id=last_id)
        cursor.execute(_DELETE, [ids])
        pages = {page // PAGES_PER_RANGE * PAGES_PER_RANGE for (page,) in cursor.fetchall()}
    StoredTile.objects.filter(log=log, level=0, number__lte=tiles[-1].number).delete()
    StoredCheckpoint.objects.filter(log=log, size__lt=kept).delete()
    return pages


def summarize_pages(pages: Collection[int], tenant: Tenant) -> None:
    """Compute the BRIN index on `transaction` again for these ranges of pages. Needs the direct connection.

    Call this function after the deletion is committed, because the deleted events would otherwise still be counted.
    """
    with context_of(tenant), connection.cursor() as cursor:
        ranges = sorted(pages)
        for start in range(0, len(ranges), _RANGES_PER_STATEMENT):
            cursor.execute(_SUMMARIZE, [ranges[start : start + _RANGES_PER_STATEMENT]])


def remove_search_terms(tenant: Tenant) -> None:
    """Remove the entries of the search index for periods whose events were all deleted. Needs the direct connection."""
    with context_of(tenant):
        oldest = Event.objects.order_by("id").first()
        if oldest is not None:
            remove_from_index(before=oldest.id)

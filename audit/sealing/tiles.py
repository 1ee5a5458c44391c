"""Reading and writing of the stored tiles (blocks of up to 256 hashes) of a transparency log."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from uuid import UUID

from django.db import connection

from audit.sealing.models import Log, StoredTile
from audit.sealing.rows import EventRow
from audit.transparency.tiles import TILE_WIDTH, Tile, TileReader
from tenants.context import platform_context

ID_SIZE = 16

_WRITE = """
INSERT INTO audit_tile (log_id, level, number, hashes, ids, last_transaction)
SELECT %s, * FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[], %s::bytea[], %s::bigint[])
ON CONFLICT (log_id, level, number) DO UPDATE
SET hashes = excluded.hashes, ids = audit_tile.ids || excluded.ids, last_transaction = excluded.last_transaction
"""
_READ = """
SELECT level, number, hashes FROM audit_tile JOIN unnest(%s::smallint[], %s::bigint[]) AS wanted (level, number)
USING (level, number) WHERE log_id = %s
"""
_TILES_PER_READ = 64
_CACHED_TILES = 512


def tile_reader(log: Log) -> TileReader:
    """Return a function that reads tiles of the log from the database, for use by `audit.transparency`."""

    def read(tiles: Collection[Tile]) -> Mapping[Tile, bytes]:
        if not tiles:
            return {}
        levels, numbers = zip(*tiles, strict=True)
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(_READ, [list(levels), list(numbers), log.pk])
            return {Tile(level, number): bytes(hashes) for level, number, hashes in cursor.fetchall()}

    return read


def caching_tile_reader(log: Log) -> TileReader:
    """Return a function that reads tiles of the log and keeps up to 512 tiles (4 MiB) in memory.

    Use this function for many proofs of neighbouring positions.
    """
    read = tile_reader(log)
    cache: dict[Tile, bytes] = {}

    def read_cached(tiles: Collection[Tile]) -> Mapping[Tile, bytes]:
        if len(cache) + len(tiles) > _CACHED_TILES:
            cache.clear()
        cache.update(read([tile for tile in tiles if tile not in cache]))
        return cache

    return read_cached


def write_tiles(log: Log, changed: Mapping[Tile, bytes], rows: Sequence[EventRow]) -> None:
    """Write the new and changed tiles of a log after the events in `rows` were appended.

    `log.size` is the size of the log before the events were appended.
    """
    values: list[tuple[int, int, bytes, bytes | None, int | None]] = []
    remaining = iter(rows)
    size = log.size
    for (level, number), hashes in sorted(changed.items()):
        if level:
            values.append((level, number, hashes, None, None))
            continue
        # The row of the tile already has the ids of earlier events. The statement appends the new ids.
        new = list(islice(remaining, (number + 1) * TILE_WIDTH - size))
        size += len(new)
        ids = b"".join(row.id.bytes for row in new)
        values.append((level, number, hashes, ids, new[-1].transaction))
    with platform_context(), connection.cursor() as cursor:
        cursor.execute(_WRITE, [log.pk, *map(list, zip(*values, strict=True))])


def leaf_tiles(log: Log, *, start: int = 0) -> Iterator[StoredTile]:
    """Yield the tiles of level 0, which have the hashes of events, beginning with the tile of the position `start`.

    A missing tile is left out.
    """
    number, last = start // TILE_WIDTH, max(log.size - 1, -1) // TILE_WIDTH
    while number <= last:
        with platform_context():
            tiles = list(
                StoredTile.objects.filter(
                    log=log, level=0, number__gte=number, number__lt=number + _TILES_PER_READ
                ).order_by("number")
            )
        yield from tiles
        number += _TILES_PER_READ


def ids_of(tile: StoredTile) -> list[UUID]:
    """Return the ids of the events whose hashes are in a tile of level 0."""
    ids = bytes(tile.ids or b"")
    return [UUID(bytes=ids[at : at + ID_SIZE]) for at in range(0, len(ids), ID_SIZE)]


def position_of(log: Log, event_id: UUID, transaction: int) -> int | None:
    """Return the position of an event in the log, or None if the event is not sealed."""
    with platform_context():
        tiles = StoredTile.objects.filter(log=log, level=0, last_transaction__gte=transaction)
        for tile in tiles.order_by("last_transaction", "number").iterator():
            ids = ids_of(tile)
            if event_id in ids:
                return tile.number * TILE_WIDTH + ids.index(event_id)
            if tile.last_transaction is not None and tile.last_transaction > transaction:
                break
    return None

"""The verification of one trail: all events are read again, and the Merkle tree is computed from the events.

The computed tree must have the root hash of each signed checkpoint. So the verification finds events that were changed,
deleted, inserted or moved, and checkpoints that were changed, deleted or signed with another key.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from uuid import UUID

from audit.reading.search import events_of_type
from audit.sealing import rows
from audit.sealing.events import EVENTS_DELETED
from audit.sealing.models import Log, StoredTile
from audit.sealing.rows import EventRow, Key
from audit.sealing.tiles import ids_of, leaf_tiles
from audit.transparency.errors import TransparencyError
from audit.transparency.merkle import HASH_SIZE, subtree_hash
from audit.transparency.tiles import FULL_TILE_SIZE, TILE_HEIGHT, TILE_WIDTH, Tile
from audit.verification.checkpoints import SignedRoots
from audit.verification.results import InvalidTrail
from audit.verification.tree import GrowingTree
from tenants.context import Tenant, context_of, platform_context

#: The number of tiles (blocks of up to 256 hashes) whose events are read with one query.
_TILES_PER_QUERY = 32

#: A callback that receives the number of events verified since its last call.
Progress = Callable[[int], None]


def verify_events(log: Log, tenant: Tenant, roots: SignedRoots, *, start: int, progress: Progress) -> None:
    """Verify the events of a log from the position `start` on, and all stored hashes and checkpoints of the log.

    The events before `start` are not read: their hashes are taken from the stored tiles. Events that were deleted after
    the retention period are not read either.

    Raises InvalidTrail at the first wrong position.
    """
    upper = _read_upper_tiles(log)
    try:
        tree = GrowingTree(log.first_kept, upper)
    except TransparencyError as error:
        raise InvalidTrail(log.first_kept, f"A tile of the log is damaged: {error}") from error
    start = max(start, log.first_kept)
    sizes = roots.sizes
    place = Key(log.deleted_transaction, log.deleted_id)
    _check_deleted_events(log, tenant, place)
    for size in tree.append_to_sizes(b"", sizes):
        roots.check(size, tree.root())
    for tiles in _groups(log):
        first = tree.size
        hashes = b"".join(bytes(tile.hashes) for tile in tiles)[: (log.size - first) * HASH_SIZE]
        ids = [event_id for tile in tiles for event_id in ids_of(tile)][: log.size - first]
        if len(hashes) != len(ids) * HASH_SIZE:
            raise InvalidTrail(
                first + min(len(hashes) // HASH_SIZE, len(ids)), "A tile of the log is damaged."
            )
        end = first + len(ids)
        # The last tile may contain events that were sealed after the log was read, so its end is taken from `log`.
        is_last = end == log.size
        last = (
            Key(log.sealed_transaction, log.sealed_id)
            if is_last
            else Key(tiles[-1].last_transaction or 0, ids[-1])
        )
        if end > start:
            with context_of(tenant):
                found = rows.read_rows(place, last, len(ids) + 1)
            _compare(first, ids, hashes, found, skipped=max(start - first, 0))
        place = last
        for size in tree.append_to_sizes(hashes, sizes):
            roots.check(size, tree.root())
        progress(len(ids))
    if tree.size < log.size:
        raise InvalidTrail(tree.size, "A tile of the log is missing.")
    _check_upper_tiles(log, tree, upper)


def _check_deleted_events(log: Log, tenant: Tenant, place: Key) -> None:
    """Check that retention deleted all events before the event at `place`, and that an event records this.

    Raises InvalidTrail if there is an older event, or if no event records the deletion.
    """
    if not log.first_kept:
        return
    with context_of(tenant):
        found = rows.read_rows(Key(0), place, 1)
        if found:
            raise InvalidTrail(
                0, f"The event {found[0].id} was inserted among the events that retention deleted."
            )
        deletions = events_of_type(EVENTS_DELETED).filter(
            data__log=log.origin, data__first_kept=log.first_kept
        )
        if deletions.first() is None:
            raise InvalidTrail(
                0,
                f"The first {log.first_kept} events are missing, and no event says that retention deleted them.",
            )


def _groups(log: Log) -> Iterator[Sequence[StoredTile]]:
    """Yield the tiles of level 0, which have the hashes of events, in groups.

    Raises InvalidTrail if a tile is missing.
    """
    group: list[StoredTile] = []
    for expected, tile in enumerate(
        leaf_tiles(log, start=log.first_kept), start=log.first_kept // TILE_WIDTH
    ):
        if tile.number != expected:
            raise InvalidTrail(expected * TILE_WIDTH, "A tile of the log is missing.")
        group.append(tile)
        if len(group) == _TILES_PER_QUERY:
            yield group
            group = []
    if group:
        yield group


def _compare(
    first: int, ids: Sequence[UUID], hashes: bytes, found: Sequence[EventRow], *, skipped: int
) -> None:
    """Compare events with the ids and hashes that are stored in the log. Raises InvalidTrail at the first difference.

    `first` is the position of the first id in `ids`. The first `skipped` ids are not compared.
    """
    events = iter(found)
    expected, present = set(ids), {row.id for row in found}
    for index, event_id in enumerate(ids):
        if index < skipped:
            if event_id in present:
                next(events, None)
            continue
        position = first + index
        row = next(events, None)
        if row is None or row.id != event_id:
            _raise_difference(position, event_id, row, expected, present)
        elif row.leaf != hashes[index * HASH_SIZE : (index + 1) * HASH_SIZE]:
            raise InvalidTrail(position, f"The event {event_id} was changed.")
    extra = next(events, None)
    if extra is not None:
        raise InvalidTrail(first + len(ids), f"The event {extra.id} was inserted.")


def _raise_difference(
    position: int, event_id: UUID, row: EventRow | None, expected: Collection[UUID], present: Collection[UUID]
) -> None:
    if row is not None and row.id not in expected:
        raise InvalidTrail(position, f"The event {row.id} was inserted.")
    if event_id not in present:
        raise InvalidTrail(
            position, f"The event {event_id} is missing: it was deleted, or its transaction was changed."
        )
    raise InvalidTrail(position, f"The event {event_id} was moved: the order of the events was changed.")


def _read_upper_tiles(log: Log) -> dict[Tile, bytes]:
    """Return the stored tiles (blocks of 256 hashes) above level 0 of the Merkle tree."""
    with platform_context():
        stored = StoredTile.objects.filter(log=log, level__gt=0)
        return {Tile(tile.level, tile.number): bytes(tile.hashes) for tile in stored}


def _check_upper_tiles(log: Log, tree: GrowingTree, stored: Mapping[Tile, bytes]) -> None:
    """Raise InvalidTrail if a stored tile above level 0 differs from the computed tile.

    Proofs that use such a tile would be wrong. The tiles of deleted events cannot be computed. Each of these tiles must
    have the hash that is stored in the tile above it.
    """
    for tile, hashes in sorted(tree.upper.items()):
        if not stored.get(tile, b"").startswith(hashes):
            _raise_damaged(tile)
    for tile, hashes in sorted(stored.items()):
        level, number = tile
        if (number + 1) << TILE_HEIGHT * (level + 1) <= log.first_kept:
            above = stored.get(Tile(level + 1, number // TILE_WIDTH), b"")
            at = number % TILE_WIDTH * HASH_SIZE
            if len(hashes) != FULL_TILE_SIZE or subtree_hash(hashes) != above[at : at + HASH_SIZE]:
                _raise_damaged(tile)


def _raise_damaged(tile: Tile) -> None:
    first = tile.number << TILE_HEIGHT * (tile.level + 1)
    raise InvalidTrail(first, f"The tile {tile.number} of level {tile.level} is damaged.")

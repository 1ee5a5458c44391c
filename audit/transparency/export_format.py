"""The file format of exports of the audit trail.

`deploy/verify_trail.py` verifies an export without this project. `audit/transparency/README.md` describes the format.

A verifier can verify the lines of an export in their order, one by one, with little memory.
"""

import base64
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

from audit.transparency.checkpoints import unverified_checkpoint
from audit.transparency.merkle import HASH_SIZE
from audit.transparency.resources import TilePath
from audit.transparency.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    TileReader,
    first_hashes,
    partial_tiles,
)

FORMAT = "hotelagent-audit-export/1"
#: The number of tiles that are read with one call of `read_tiles`. A full tile has 256 hashes (8 KiB).
_TILES_PER_CALL = 64


class ExportedEvent(NamedTuple):
    """A sealed event in the form in which an export contains it.

    entry: the canonical JSON text of the event. Its hash is the leaf of the Merkle tree at `position`.
    personal: maps each personal field to its salt and value, or to its digest if the value is erased or left out.
    """

    position: int
    entry: bytes
    personal: Mapping[str, Mapping[str, Any]]


def export_lines(
    *,
    note: str,
    start: int,
    end: int,
    events: Iterable[ExportedEvent],
    read_tiles: TileReader,
    earlier_sizes: Collection[int] = (),
) -> Iterator[str]:
    """Return the lines of an export with the events at the log positions from `start` to `end - 1`.

    Each line ends with a newline.
    note: the signed checkpoint with which the export is verified. The log may have grown since this checkpoint.
    events: the events, sorted by position. A missing event has no line, so the verifier finds the gap.
    earlier_sizes: the sizes of earlier checkpoints outside these positions. The verifier can compare them with the
    export.

    Raises TileNotFound or InvalidTile if the log has no valid tiles for these positions.
    """
    checkpoint = unverified_checkpoint(note)
    size = checkpoint.size
    partial = partial_tiles(size)
    contents = read_tiles(partial.keys())
    yield _line(
        {
            "format": FORMAT,
            "origin": checkpoint.origin,
            "checkpoint": note,
            "from": start,
            "to": end,
            "tiles": [
                _tile_member(tile, first_hashes(contents, tile, width)) for tile, width in partial.items()
            ],
        }
    )
    remaining = iter(events)
    event = next(remaining, None)
    count = 0
    for tile, hashes in _full_tiles(size, start, end, earlier_sizes, read_tiles):
        yield _line(_tile_member(tile, hashes))
        while tile.level == 0 and event is not None and event.position < (tile.number + 1) * TILE_WIDTH:
            yield _event_line(event)
            event = next(remaining, None)
            count += 1
    # The hashes of the remaining events are in the partial tile, which is in the first line of the export.
    while event is not None:
        yield _event_line(event)
        event = next(remaining, None)
        count += 1
    yield _line({"events": count})


def _full_tiles(
    size: int, start: int, end: int, earlier_sizes: Collection[int], read_tiles: TileReader
) -> Iterator[tuple[Tile, bytes]]:
    """Yield the full tiles (with 256 hashes each) that an export needs, with their hashes, in the order of the log.

    A tile of a higher tree level comes before the tiles below it.
    """
    last = (end - 1) // TILE_WIDTH if start < end else -1
    covered = (Tile(0, number) for number in range(start // TILE_WIDTH, last + 1))
    earlier = sorted((tile for other in earlier_sizes for tile in partial_tiles(other)), key=_sort_key)
    tiles = _with_parents(size, merge(earlier, covered, key=_sort_key))
    while batch := list(islice(tiles, _TILES_PER_CALL)):
        contents = read_tiles(batch)
        for tile in batch:
            yield tile, first_hashes(contents, tile, TILE_WIDTH)


def _with_parents(size: int, tiles: Iterable[Tile]) -> Iterator[Tile]:
    """Yield each full tile of the Merkle tree and each of its full parents once. Parents are yielded first."""
    current: dict[int, int] = {}
    for level, number in tiles:
        path = []
        while (number + 1) << TILE_HEIGHT * (level + 1) <= size:
            path.append(Tile(level, number))
            level, number = level + 1, number >> TILE_HEIGHT  # noqa: PLW2901 - continues with the tile above
        for tile in reversed(path):
            if current.get(tile.level) != tile.number:
                current[tile.level] = tile.number
                yield tile


def _sort_key(tile: Tile) -> tuple[int, int]:
    """Return the sort key of a tile. Tiles are sorted by the first leaf that they cover.

    Of two tiles with the same first leaf, the tile of the higher level comes first.
    """
    return tile.number << TILE_HEIGHT * (tile.level + 1), -tile.level


def _tile_member(tile: Tile, hashes: bytes) -> dict[str, str]:
    path = TilePath(tile.level, tile.number, len(hashes) // HASH_SIZE)
    return {"tile": str(path), "hashes": base64.b64encode(hashes).decode()}


def _event_line(event: ExportedEvent) -> str:
    return _line(
        {"position": event.position, "entry": event.entry.decode(), "personal": dict(event.personal)}
    )


def _line(members: Mapping[str, Any]) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) + "\n"

"""The tiles in which a transparency log is stored and published (https://c2sp.org/tlog-tiles).

A tile has up to 256 consecutive hashes of one level. The hashes of level 0 are leaf hashes. Each hash of a higher level
is the hash of a full tile of the level below. Only the last tile of a level can be partial.
"""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from audit.transparency.errors import InvalidTile, TileNotFound
from audit.transparency.merkle import HASH_SIZE, Subtree, subtree_hash

#: The number of tree levels in a tile.
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
FULL_TILE_SIZE = TILE_WIDTH * HASH_SIZE


class Tile(NamedTuple):
    """The place of a tile: its level, and its number within the level. Both are counted from zero."""

    level: int
    number: int


#: Returns the contents of the requested tiles. A proof requests all its tiles with one call. Tiles that do not exist
#: may be missing in the result, and a tile may be wider than at the time of an earlier checkpoint.
TileReader = Callable[[Collection[Tile]], Mapping[Tile, bytes]]


def partial_tiles(size: int) -> dict[Tile, int]:
    """Return the partial tiles of a tree with `size` leaves, with the number of hashes in each tile."""
    tiles = {}
    level = 0
    while size:
        if size % TILE_WIDTH:
            tiles[Tile(level, size // TILE_WIDTH)] = size % TILE_WIDTH
        size //= TILE_WIDTH
        level += 1
    return tiles


def append(size: int, stored: Mapping[Tile, bytes], leaves: bytes) -> dict[Tile, bytes]:
    """Return the new and changed tiles of a tree with `size` leaves after concatenated leaf hashes are appended.

    `stored` must have the partial tiles of the tree (`partial_tiles(size)`). Raises TileNotFound or InvalidTile.
    """
    if len(leaves) % HASH_SIZE:
        raise InvalidTile(f"{len(leaves)} bytes are not a whole number of hashes.")
    partial = partial_tiles(size)
    changed: dict[Tile, bytes] = {}
    level, added = 0, leaves
    while added:
        number = size >> TILE_HEIGHT * (level + 1)
        tile = Tile(level, number)
        hashes = first_hashes(stored, tile, partial.get(tile, 0)) + added
        full = []
        for at in range(0, len(hashes), FULL_TILE_SIZE):
            content = hashes[at : at + FULL_TILE_SIZE]
            changed[Tile(level, number)] = content
            if len(content) == FULL_TILE_SIZE:
                full.append(subtree_hash(content))
            number += 1
        level, added = level + 1, b"".join(full)
    return changed


def first_hashes(tiles: Mapping[Tile, bytes], tile: Tile, width: int) -> bytes:
    """Return the first `width` hashes of a tile. Raise TileNotFound or InvalidTile if they are not in `tiles`."""
    if width == 0:
        return b""
    if tile not in tiles:
        raise TileNotFound(f"The tile {tile.number} of level {tile.level} is missing.")
    content = bytes(tiles[tile])
    if len(content) < width * HASH_SIZE or len(content) % HASH_SIZE or len(content) > FULL_TILE_SIZE:
        raise InvalidTile(
            f"The tile {tile.number} of level {tile.level} has {len(content)} bytes."
            f" {width} hashes of {HASH_SIZE} bytes are needed."
        )
    return content[: width * HASH_SIZE]


def tile_of(subtree: Subtree) -> Tile:
    """Return the tile that has the hash of a complete subtree, or the hashes from which it is computed."""
    level = subtree.level // TILE_HEIGHT
    return Tile(level, subtree.number >> TILE_HEIGHT - subtree.level % TILE_HEIGHT)


def hash_from_tiles(tiles: Mapping[Tile, bytes], subtree: Subtree) -> bytes:
    """Return the hash of a complete subtree. Raise TileNotFound or InvalidTile if its tile is not in `tiles`."""
    width = 1 << subtree.level % TILE_HEIGHT
    start = subtree.number * width % TILE_WIDTH
    return subtree_hash(first_hashes(tiles, tile_of(subtree), start + width)[start * HASH_SIZE :])

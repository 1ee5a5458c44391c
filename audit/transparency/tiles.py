"""The tiles (blocks of hashes) in which a transparency log is stored and published (https://c2sp.org/tlog-tiles).

A tile has up to 256 consecutive hashes of one level of the tree. The hashes of level 0 are leaf hashes. Each hash of a
higher level is the hash of a full tile of the level below. Only the last tile of a level can be partial: it has fewer
than 256 hashes.
"""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from audit.transparency.errors import InvalidTile, TileNotFound
from audit.transparency.merkle import HASH_SIZE, Subtree, subtree_hash

#: The number of levels of the Merkle tree that one tile (a block of hashes) covers.
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
FULL_TILE_SIZE = TILE_WIDTH * HASH_SIZE


class Tile(NamedTuple):
    """The position of a tile (a block of hashes): its level in the tree, and its number within the level.

    Levels and numbers begin at 0.
    """

    level: int
    number: int


#: A function that returns the hashes of the requested tiles (blocks of hashes).
#: The function may omit tiles that do not exist. One call returns all tiles that a proof needs.
#: A returned tile may contain hashes that were added after the checkpoint of the proof.
TileReader = Callable[[Collection[Tile]], Mapping[Tile, bytes]]


def partial_tiles(size: int) -> dict[Tile, int]:
    """Return the partial tiles (with fewer than 256 hashes) of a tree with `size` leaves.

    The values of the returned dictionary are the numbers of hashes in the tiles.
    """
    tiles = {}
    level = 0
    while size:
        if size % TILE_WIDTH:
            tiles[Tile(level, size // TILE_WIDTH)] = size % TILE_WIDTH
        size //= TILE_WIDTH
        level += 1
    return tiles


def append(size: int, stored: Mapping[Tile, bytes], leaves: bytes) -> dict[Tile, bytes]:
    """Append leaf hashes to a tree with `size` leaves, and return the new and changed tiles.

    `leaves` has the concatenated leaf hashes. `stored` must contain the partial tiles of the tree, as listed by
    `partial_tiles(size)`. Raises TileNotFound or InvalidTile.
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
    """Return the first `width` hashes of a tile.

    Raises TileNotFound if `tiles` does not contain the tile, and InvalidTile if the tile has too few hashes.
    """
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
    """Return the tile that is needed to read or compute the hash of a complete subtree."""
    level = subtree.level // TILE_HEIGHT
    return Tile(level, subtree.number >> TILE_HEIGHT - subtree.level % TILE_HEIGHT)


def hash_from_tiles(tiles: Mapping[Tile, bytes], subtree: Subtree) -> bytes:
    """Return the hash of a complete subtree, computed from the hashes of its tile.

    Raises TileNotFound if `tiles` does not contain the tile, and InvalidTile if the tile has too few hashes.
    """
    width = 1 << subtree.level % TILE_HEIGHT
    start = subtree.number * width % TILE_WIDTH
    return subtree_hash(first_hashes(tiles, tile_of(subtree), start + width)[start * HASH_SIZE :])

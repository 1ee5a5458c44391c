"""Roots and proofs of a log, computed from its tiles. Each function reads all tiles with one call of the reader."""

from collections.abc import Sequence

from audit.transparency.merkle import (
    Range,
    consistency_ranges,
    fold,
    inclusion_ranges,
    subtrees_of,
)
from audit.transparency.tiles import TileReader, hash_from_tiles, tile_of


def root_of(size: int, read_tiles: TileReader) -> bytes:
    """Return the root of the tree at this size. Tiles that have become wider since then give the same root."""
    return _hashes([(0, size)], read_tiles)[0]


def prove_inclusion(position: int, size: int, read_tiles: TileReader) -> list[bytes]:
    """Return the proof that the tree of this size contains the leaf at this position (RFC 9162, section 2.1.3.1)."""
    return _hashes(inclusion_ranges(position, size), read_tiles)


def prove_consistency(old_size: int, new_size: int, read_tiles: TileReader) -> list[bytes]:
    """Return the proof that the new tree begins with the leaves of the old tree (RFC 9162, section 2.1.4.1)."""
    return _hashes(consistency_ranges(old_size, new_size), read_tiles)


def _hashes(ranges: Sequence[Range], read_tiles: TileReader) -> list[bytes]:
    """Return the hash of each range. Raises TileNotFound or InvalidTile."""
    subtrees = [subtrees_of(covered) for covered in ranges]
    tiles = read_tiles({tile_of(subtree) for part in subtrees for subtree in part})
    return [fold([hash_from_tiles(tiles, subtree) for subtree in part]) for part in subtrees]

"""Root hashes and proofs of a transparency log, computed from its tiles (stored blocks of up to 256 hashes).

Each function reads all tiles that it needs with one call of `read_tiles`.
"""

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
    """Return the root hash of the tree at the time when it had `size` leaves.

    Hashes that were added to the tiles later do not change the result.
    """
    return _hashes([(0, size)], read_tiles)[0]


def prove_inclusion(position: int, size: int, read_tiles: TileReader) -> list[bytes]:
    """Return the inclusion proof: hashes that prove that the tree with `size` leaves contains the leaf at `position`.

    RFC 9162, section 2.1.3.1, defines the proof.
    """
    return _hashes(inclusion_ranges(position, size), read_tiles)


def prove_consistency(old_size: int, new_size: int, read_tiles: TileReader) -> list[bytes]:
    """Return the consistency proof: hashes that prove that the new tree begins with all leaves of the old tree.

    RFC 9162, section 2.1.4.1, defines the proof.
    """
    return _hashes(consistency_ranges(old_size, new_size), read_tiles)


def _hashes(ranges: Sequence[Range], read_tiles: TileReader) -> list[bytes]:
    """Return the hash of each range of leaves. Raises TileNotFound or InvalidTile."""
    subtrees = [subtrees_of(covered) for covered in ranges]
    tiles = read_tiles({tile_of(subtree) for part in subtrees for subtree in part})
    return [fold([hash_from_tiles(tiles, subtree) for subtree in part]) for part in subtrees]

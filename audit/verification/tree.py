"""A Merkle tree that is computed again from the hashes of events, for the comparison with signed root hashes."""

from collections.abc import Iterator, Mapping

from audit.transparency.merkle import HASH_SIZE
from audit.transparency.proofs import root_of
from audit.transparency.tiles import Tile, append, first_hashes, partial_tiles


class GrowingTree:
    """A Merkle tree to which leaf hashes are appended.

    The tree keeps its partial tiles (blocks with fewer than 256 hashes), and the full tiles above level 0. It begins
    with `size` leaves whose hashes are not known. `stored` contains the partial tiles of these leaves. `size` is a
    multiple of 256, so no partial tile has leaf hashes.
    """

    def __init__(self, size: int, stored: Mapping[Tile, bytes]) -> None:
        self.size = size
        self.upper: dict[Tile, bytes] = {}
        self._partial = {
            tile: first_hashes(stored, tile, width) for tile, width in partial_tiles(size).items()
        }

    def append(self, leaves: bytes) -> None:
        """Append the concatenated leaf hashes `leaves` to the tree."""
        changed = append(self.size, self._partial, leaves)
        self.size += len(leaves) // HASH_SIZE
        current = self._partial | changed
        self._partial = {tile: current[tile] for tile in partial_tiles(self.size)}
        self.upper |= {tile: hashes for tile, hashes in changed.items() if tile.level}

    def append_to_sizes(self, leaves: bytes, sizes: list[int]) -> Iterator[int]:
        """Append leaf hashes, and yield each size in `sizes` when the tree has this number of leaves.

        `sizes` is sorted. Yielded sizes are removed from the list.
        """
        at = 0
        while sizes and sizes[0] <= self.size + (len(leaves) - at) // HASH_SIZE:
            end = at + (sizes[0] - self.size) * HASH_SIZE
            self.append(leaves[at:end])
            at = end
            yield sizes.pop(0)
        self.append(leaves[at:])

    def root(self) -> bytes:
        return root_of(self.size, lambda _tiles: self._partial)

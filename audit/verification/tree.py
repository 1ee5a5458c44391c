"""A Merkle tree that is computed again from the leaves of a log, and compared with stored and signed roots."""

from collections.abc import Iterator

from audit.transparency.merkle import HASH_SIZE
from audit.transparency.proofs import root_of
from audit.transparency.tiles import Tile, append, partial_tiles


class GrowingTree:
    """A tree to which leaf hashes are appended. It keeps its partial tiles, and the full tiles above level 0."""

    def __init__(self) -> None:
        self.size = 0
        self.upper: dict[Tile, bytes] = {}
        self._partial: dict[Tile, bytes] = {}

    def append(self, leaves: bytes) -> None:
        """Append concatenated leaf hashes."""
        changed = append(self.size, self._partial, leaves)
        self.size += len(leaves) // HASH_SIZE
        current = self._partial | changed
        self._partial = {tile: current[tile] for tile in partial_tiles(self.size)}
        self.upper |= {tile: hashes for tile, hashes in changed.items() if tile.level}

    def append_to_sizes(self, leaves: bytes, sizes: list[int]) -> Iterator[int]:
        """Append leaf hashes, and yield each of the `sizes` when the tree has it. `sizes` is sorted, and the yielded
        sizes are removed from its beginning.
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

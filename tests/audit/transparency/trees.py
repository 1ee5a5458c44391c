"""Transparency logs in memory for the tests, and a slow implementation of the definitions in RFC 6962."""

import os
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from audit.transparency.merkle import HASH_SIZE, leaf_hash
from audit.transparency.proofs import root_of
from audit.transparency.tiles import Tile, append


class Log:
    """A transparency log in memory, whose tiles (blocks of up to 256 hashes) are in a dictionary."""

    def __init__(self, entries: Sequence[bytes] = ()) -> None:
        self.size = 0
        self.tiles: dict[Tile, bytes] = {}
        self.leaves: list[bytes] = []
        self.append(entries)

    def append(self, entries: Sequence[bytes]) -> dict[Tile, bytes]:
        """Append entries to the log, and return the new and changed tiles."""
        leaves = [leaf_hash(entry) for entry in entries]
        changed = append(self.size, self.tiles, b"".join(leaves))
        self.tiles |= changed
        self.leaves += leaves
        self.size += len(leaves)
        return changed

    def read(self, tiles: Collection[Tile]) -> Mapping[Tile, bytes]:
        return {tile: self.tiles[tile] for tile in tiles if tile in self.tiles}

    def root(self, size: int | None = None) -> bytes:
        return root_of(self.size if size is None else size, self.read)


def entries_of(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def reference_root(leaves: Sequence[bytes]) -> bytes:
    """Compute the root hash of a tree with these leaf hashes exactly as RFC 6962 (section 2.1) defines it."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + reference_root(leaves[:split]) + reference_root(leaves[split:])).digest()


def random_hash() -> bytes:
    return os.urandom(HASH_SIZE)

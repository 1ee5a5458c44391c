"""The Merkle tree of RFC 6962 (section 2.1) and RFC 9162 (section 2.1): hashes, and the verification of proofs.

The leaves of the tree are the hashes of the entries of a log. Leaves are counted from zero. A range (start, end) covers
the leaves from `start` to `end - 1`. The hash of a range is the Merkle Tree Hash of its leaves, which the RFCs call
MTH.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from audit.transparency.errors import InvalidProof

HASH_SIZE = 32
#: The root hash of a Merkle tree without leaves.
EMPTY_ROOT = sha256().digest()

Range = tuple[int, int]


class Subtree(NamedTuple):
    """The position of a complete subtree in a Merkle tree. The subtree has 2**level leaves.

    The position of the first leaf of the subtree is number * 2**level.
    """

    level: int
    number: int


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def subtree_hash(hashes: bytes) -> bytes:
    """Compute the root hash of a complete subtree from the hashes of its lowest level.

    `hashes` has 2**n hashes of 32 bytes each, concatenated.
    """
    while len(hashes) > HASH_SIZE:
        hashes = b"".join(
            [sha256(b"\x01" + hashes[at : at + 64]).digest() for at in range(0, len(hashes), 64)]
        )
    return hashes


def fold(hashes: Sequence[bytes]) -> bytes:
    """Combine the hashes of complete subtrees, from left to right, into the hash of the range that they cover.

    The function `subtrees_of` returns the complete subtrees of a range.
    """
    if not hashes:
        return EMPTY_ROOT
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


def subtrees_of(covered: Range) -> list[Subtree]:
    """Split a range of leaves into the largest possible complete subtrees, and return them from left to right."""
    start, end = covered
    subtrees = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            # The highest level of a subtree that begins at `start` is the number of trailing zero bits of `start`.
            level = min(level, (start & -start).bit_length() - 1)
        subtrees.append(Subtree(level, start >> level))
        start += 1 << level
    return subtrees


def inclusion_ranges(position: int, size: int) -> list[Range]:
    """Return the ranges of leaves whose hashes form the inclusion proof of a leaf in a tree with `size` leaves.

    Raises InvalidProof if the tree has no leaf at this position.
    """
    if not 0 <= position < size:
        raise InvalidProof(f"A tree with {size} leaves has no leaf at position {position}.")
    start, end = 0, size
    ranges: list[Range] = []
    while end - start > 1:
        middle = start + _left_width(end - start)
        if position < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, new_size: int) -> list[Range]:
    """Return the ranges of leaves whose hashes form the consistency proof between an old and a new size of a tree.

    Raises InvalidProof if `old_size` is greater than `new_size`. If the old tree is empty, no hashes are needed.
    """
    if not 0 <= old_size <= new_size:
        raise InvalidProof(f"A tree with {new_size} leaves cannot continue a tree with {old_size} leaves.")
    if old_size == 0:
        return []
    start, end = 0, new_size
    ranges: list[Range] = []
    while old_size < end:
        middle = start + _left_width(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start > 0:
        ranges.append((start, end))
    return ranges[::-1]


def _left_width(width: int) -> int:
    """Return the number of leaves in the left half of a tree with `width` leaves.

    This is the largest power of two that is smaller than `width`.
    """
    return 1 << (width - 1).bit_length() - 1


def verify_inclusion(leaf: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check with an inclusion proof that the leaf at `position` has the hash `leaf` in a tree with this size and root.

    Raises InvalidProof if the proof does not lead from the leaf to the root hash.
    """
    ranges = inclusion_ranges(position, size)
    _check_hashes(proof, expected=len(ranges))
    computed = leaf
    for (_start, end), sibling in zip(ranges, proof, strict=True):
        computed = node_hash(sibling, computed) if end <= position else node_hash(computed, sibling)
    if computed != root:
        raise InvalidProof(f"The inclusion proof of position {position} does not lead to the root.")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check with a consistency proof that the new tree begins with all leaves of the old tree.

    Raises InvalidProof if the proof does not lead to the root hashes of the old and the new tree.
    """
    ranges = consistency_ranges(old_size, new_size)
    _check_hashes(proof, expected=len(ranges))
    if old_size == 0:
        if old_root != EMPTY_ROOT:
            raise InvalidProof("The root of the empty tree is wrong.")
        return
    siblings = list(zip(ranges, proof, strict=True))
    # Unless the old tree is complete, the proof begins with the hash of the last complete subtree of the old tree.
    old = new = siblings.pop(0)[1] if siblings and siblings[0][0][1] == old_size else old_root
    for (_start, end), sibling in siblings:
        if end <= old_size:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if (old, new) != (old_root, new_root):
        raise InvalidProof(
            f"The tree with {new_size} leaves does not continue the tree with {old_size} leaves."
        )


def _check_hashes(proof: Sequence[bytes], *, expected: int) -> None:
    if len(proof) != expected:
        raise InvalidProof(f"The proof has {len(proof)} hashes, but {expected} are needed.")
    if any(len(part) != HASH_SIZE for part in proof):
        raise InvalidProof(f"The proof has a hash that is not {HASH_SIZE} bytes long.")

"""Tests of the Merkle tree with the published test vectors of Certificate Transparency, and with random trees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.transparency.errors import InvalidProof
from audit.transparency.merkle import (
    EMPTY_ROOT,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    subtrees_of,
    verify_consistency,
    verify_inclusion,
)
from audit.transparency.proofs import prove_consistency, prove_inclusion
from tests.audit.transparency.trees import Log, entries_of, random_hash, reference_root

# The entries, roots and proofs of the tests of Google's certificate-transparency repository (`merkle_tree_test.cc`).
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION_PROOFS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY_PROOFS = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

sizes = st.integers(1, 600)


def test_root_hashes_equal_the_published_test_vectors() -> None:
    log = Log(ENTRIES)
    assert [log.root(size).hex() for size in range(9)] == ROOTS
    assert EMPTY_ROOT.hex() == ROOTS[0]


@pytest.mark.parametrize(("position", "size"), INCLUSION_PROOFS)
def test_inclusion_proof_equals_the_published_test_vector(position: int, size: int) -> None:
    log = Log(ENTRIES)
    proof = prove_inclusion(position, size, log.read)
    assert [part.hex() for part in proof] == INCLUSION_PROOFS[position, size]
    verify_inclusion(leaf_hash(ENTRIES[position]), position, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old_size", "new_size"), CONSISTENCY_PROOFS)
def test_consistency_proof_equals_the_published_test_vector(old_size: int, new_size: int) -> None:
    proof = prove_consistency(old_size, new_size, Log(ENTRIES).read)
    assert [part.hex() for part in proof] == CONSISTENCY_PROOFS[old_size, new_size]
    old_root, new_root = bytes.fromhex(ROOTS[old_size]), bytes.fromhex(ROOTS[new_size])
    verify_consistency(old_size, old_root, new_size, new_root, proof)


@given(sizes, st.data())
def test_inclusion_proof_with_any_wrong_argument_is_refused(size: int, data: st.DataObject) -> None:
    log = Log(entries_of(size))
    position = data.draw(st.integers(0, size - 1))
    leaf, root = log.leaves[position], reference_root(log.leaves)
    proof = prove_inclusion(position, size, log.read)
    verify_inclusion(leaf, position, size, proof, root)

    wrong = [
        (random_hash(), position, size, proof, root),
        (leaf, position, size, proof, random_hash()),
        (leaf, position, size, [*proof, random_hash()], root),
        (leaf, position, size, [*proof, b""], root),
        (leaf, size, size, proof, root),
        (leaf, -1, size, proof, root),
    ]
    wrong += [
        (leaf, position, size, [*proof[:place], random_hash(), *proof[place + 1 :]], root)
        for place in range(len(proof))
    ]
    wrong += [(leaf, other, size, proof, root) for other in range(min(size, 9)) if other != position]
    if proof:
        wrong.append((leaf, position, size, proof[:-1], root))
    for arguments in wrong:
        with pytest.raises(InvalidProof):
            verify_inclusion(*arguments)


@given(sizes, st.data())
def test_consistency_proof_with_any_wrong_argument_is_refused(new_size: int, data: st.DataObject) -> None:
    log = Log(entries_of(new_size))
    old_size = data.draw(st.integers(1, new_size))
    old_root, new_root = reference_root(log.leaves[:old_size]), reference_root(log.leaves)
    proof = prove_consistency(old_size, new_size, log.read)
    verify_consistency(old_size, old_root, new_size, new_root, proof)

    wrong = [
        (old_size, random_hash(), new_size, new_root, proof),
        (old_size, old_root, new_size, random_hash(), proof),
        (old_size, old_root, new_size, new_root, [*proof, random_hash()]),
        (new_size + 1, old_root, new_size, new_root, proof),
        (-1, old_root, new_size, new_root, proof),
    ]
    wrong += [
        (old_size, old_root, new_size, new_root, [*proof[:place], random_hash(), *proof[place + 1 :]])
        for place in range(len(proof))
    ]
    if proof:
        wrong.append((old_size, old_root, new_size, new_root, proof[:-1]))
    for arguments in wrong:
        with pytest.raises(InvalidProof):
            verify_consistency(*arguments)


def test_empty_consistency_proof_is_accepted_only_for_the_empty_old_tree() -> None:
    root = Log(ENTRIES).root()
    verify_consistency(0, EMPTY_ROOT, 8, root, [])
    with pytest.raises(InvalidProof):
        verify_consistency(0, root, 8, root, [])


def test_consistency_proof_of_a_tree_with_a_replaced_leaf_is_refused() -> None:
    before, after = Log(ENTRIES), Log([*ENTRIES[:7], b"another", b"one more"])
    proof = prove_consistency(8, 9, after.read)
    with pytest.raises(InvalidProof, match="does not continue the tree with 8 leaves"):
        verify_consistency(8, before.root(), 9, after.root(), proof)


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_complete_subtrees_of_a_range_cover_the_range_without_gaps(one: int, other: int) -> None:
    start, end = sorted((one, other))
    reached = start
    for level, index in subtrees_of((start, end)):
        assert index << level == reached
        reached += 1 << level
    assert reached == end


@given(sizes, st.data())
def test_proof_has_at_most_one_hash_more_than_the_height_of_the_tree(size: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, size - 1))
    assert len(inclusion_ranges(position, size)) <= (size - 1).bit_length()
    assert len(consistency_ranges(position, size)) <= (size - 1).bit_length() + 1

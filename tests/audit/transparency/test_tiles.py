"""Tests of the tiles (blocks of up to 256 hashes) of a log, of their paths, and of bundles of entries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.transparency.errors import InvalidTile, TileNotFound
from audit.transparency.merkle import HASH_SIZE
from audit.transparency.proofs import prove_inclusion
from audit.transparency.resources import TilePath, encode_bundle, parse_tile_path
from audit.transparency.tiles import Tile, append, partial_tiles
from tests.audit.transparency.trees import Log, entries_of, reference_root

BORDERS = (1, 2, 255, 256, 257, 511, 512, 513, 1000)


@pytest.mark.parametrize("size", BORDERS)
def test_root_computed_from_tiles_equals_the_root_that_rfc_6962_defines(size: int) -> None:
    log = Log(entries_of(size))
    assert log.root() == reference_root(log.leaves)


def test_tree_with_70000_leaves_has_the_tiles_in_the_example_of_the_specification() -> None:
    log = Log()
    log.tiles = append(0, {}, bytes(70_000 * HASH_SIZE))
    widths = {tile: len(content) // HASH_SIZE for tile, content in log.tiles.items()}
    assert widths == {
        **{Tile(0, index): 256 for index in range(273)},
        Tile(0, 273): 112,
        Tile(1, 0): 256,
        Tile(1, 1): 17,
        Tile(2, 0): 1,
    }
    assert partial_tiles(70_000) == {Tile(0, 273): 112, Tile(1, 1): 17, Tile(2, 0): 1}


def test_tree_with_256_leaves_has_one_partial_tile_with_one_hash() -> None:
    assert partial_tiles(256) == {Tile(1, 0): 1}
    assert partial_tiles(0) == {}


@given(st.lists(st.integers(0, 400), max_size=6))
def test_tiles_are_the_same_whether_leaves_are_appended_together_or_in_parts(parts: list[int]) -> None:
    entries = entries_of(sum(parts))
    log, start = Log(), 0
    for part in parts:
        log.append(entries[start : start + part])
        start += part
    assert log.tiles == Log(entries).tiles


def test_append_needs_only_partial_tiles_and_returns_only_changed_tiles() -> None:
    log = Log(entries_of(600))
    edge = {tile: log.tiles[tile] for tile in partial_tiles(600)}
    assert edge.keys() == {Tile(0, 2), Tile(1, 0)}
    changed = append(600, edge, log.leaves[0])
    assert changed == {Tile(0, 2): log.tiles[Tile(0, 2)] + log.leaves[0]}


def test_root_and_proofs_of_an_earlier_size_stay_the_same_when_the_log_grows() -> None:
    log = Log(entries_of(300))
    root, proof = log.root(), prove_inclusion(299, 300, log.read)
    log.append(entries_of(500))
    assert log.root(300) == root
    assert prove_inclusion(299, 300, log.read) == proof


def test_missing_tile_and_tile_with_too_few_hashes_are_refused() -> None:
    log = Log(entries_of(300))
    with pytest.raises(TileNotFound, match="tile 1 of level 0 is missing"):
        append(300, {Tile(1, 0): log.tiles[Tile(1, 0)]}, log.leaves[0])
    log.tiles[Tile(0, 1)] = log.tiles[Tile(0, 1)][:-HASH_SIZE]
    with pytest.raises(InvalidTile, match="44 hashes of 32 bytes are needed"):
        log.root()
    with pytest.raises(InvalidTile, match="not a whole number of hashes"):
        append(0, {}, b"short")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tile/0/000", TilePath(0, 0)),
        ("tile/0/x001/x234/067", TilePath(0, 1_234_067)),
        ("tile/1/017.p/112", TilePath(1, 17, 112)),
        ("tile/63/999.p/1", TilePath(63, 999, 1)),
        ("tile/entries/x001/000.p/255", TilePath(None, 1000, 255)),
    ],
)
def test_parsed_tile_path_is_converted_back_to_the_same_text(path: str, expected: TilePath) -> None:
    assert parse_tile_path(path) == expected
    assert str(expected) == path
    assert expected.tile == Tile(expected.level or 0, expected.number)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile/0/0", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/x000/001", "tile/0/001/002",
        "tile/0/x001", "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/001.p/01", "tile/0/001.p/", "/tile/0/001",
        "tile/0/001/", "tile/data/001", "tile/0/../001", "tile/0/001\n", "tile/0/\u0660\u0660\u0661",
        "tile/0/" + "x001/" * 2000 + "001",
    ],
)  # fmt: skip
def test_malformed_tile_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidTile):
        parse_tile_path(path)


def test_bundle_of_entries_has_two_bytes_with_the_size_before_each_entry() -> None:
    assert encode_bundle([b"abc", b"", b"x" * 65_535]) == b"\x00\x03abc\x00\x00\xff\xff" + b"x" * 65_535
    with pytest.raises(InvalidTile, match="At most 65535"):
        encode_bundle([b"x" * 65_536])

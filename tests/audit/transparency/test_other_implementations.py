"""Tests that two other implementations, the Go package `sumdb` and pymerkle, accept our proofs and checkpoints."""

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymerkle
import pytest

from audit.transparency.checkpoints import Checkpoint, sign_checkpoint
from audit.transparency.errors import InvalidSignature
from audit.transparency.notes import PrivateKey, open_note
from audit.transparency.proofs import prove_consistency, prove_inclusion, root_of
from tests.audit.transparency.trees import Log, entries_of
from tests.servers import skip_or_fail_in_ci

SIZES = (1, 2, 255, 256, 257, 65_536, 70_000)
PROGRAM = Path(__file__).with_name("check_logs.go")
#: Where the Debian package golang-golang-x-mod-dev installs the sources of golang.org/x/mod.
GO_PATH = Path("/usr/share/gocode")
# Go's package reads only checkpoints with the origin of Go's own log.
ORIGIN = "go.sum database tree"
KEY = PrivateKey.generate("hotels.example/audit")


def positions_in(size: int) -> list[int]:
    """Return the positions of leaves at the borders of tiles, and the first and last position of the tree."""
    return sorted({0, 1, 254, 255, 256, 65_535, 65_536, size // 2, size - 1} & set(range(size)))


@pytest.fixture(scope="module")
def logs() -> dict[int, Log]:
    """Return one log for each size in SIZES. A larger log begins with the entries of a smaller log."""
    entries = entries_of(SIZES[-1])
    logs, growing = {}, Log()
    for size in SIZES:
        growing.append(entries[growing.size : size])
        logs[size] = log = Log()
        log.size, log.tiles, log.leaves = size, dict(growing.tiles), growing.leaves[:size]
    return logs


@pytest.fixture(scope="module")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        skip_or_fail_in_ci("Go with golang.org/x/mod (apt-get install golang-go golang-golang-x-mod-dev)")
    folder = tmp_path_factory.mktemp("go")
    environment = {
        "GO111MODULE": "off",
        "GOPATH": str(GO_PATH),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }
    command = [str(go), "build", "-o", str(folder / "check_logs"), str(PROGRAM)]
    subprocess.run(command, env=environment, check=True)
    return folder / "check_logs"


def check_with_go(program: Path, logs: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Let a Go program verify each log. Return the error of the program and the note that the program signed.

    The error is empty if the program accepts the log.
    """
    output = subprocess.run([program], input=json.dumps(logs), capture_output=True, text=True, check=True)
    results: list[dict[str, str]] = json.loads(output.stdout)
    return results


def input_for_go(log: Log, first_kept: int = 0) -> dict[str, Any]:
    """Return the input of the Go program: the tiles of the log, and proofs of the events from position `first_kept`."""
    size = log.size
    earlier_sizes = [position + 1 for position in positions_in(size) if position + 1 >= first_kept]
    return {
        "PrivateKey": KEY.text,
        "PublicKey": KEY.public.text,
        "Note": sign_checkpoint(Checkpoint(ORIGIN, size, log.root()), [KEY]),
        "FirstKept": first_kept,
        "Tiles": [
            {"Level": tile.level, "Index": tile.number, "Hashes": base64_of(content)}
            for tile, content in log.tiles.items()
        ],
        "Inclusion": [
            {
                "Position": position,
                "Leaf": base64_of(log.leaves[position]),
                "Proof": [base64_of(part) for part in prove_inclusion(position, size, log.read)],
            }
            for position in positions_in(size)
            if position >= first_kept
        ],
        "Consistency": [
            {
                "Size": earlier,
                "Root": base64_of(log.root(earlier)),
                "Proof": [base64_of(part) for part in prove_consistency(earlier, size, log.read)],
            }
            for earlier in earlier_sizes
        ],
    }


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_go_program_accepts_checkpoints_tiles_and_proofs_of_logs_of_all_sizes(
    go_program: Path, logs: dict[int, Log]
) -> None:
    sent = [input_for_go(log) for log in logs.values()]
    results = check_with_go(go_program, sent)
    assert {size: result["Error"] for size, result in zip(SIZES, results, strict=True)} == dict.fromkeys(
        SIZES, ""
    )
    # Ed25519 signatures do not depend on chance, so Go's note is the same as ours.
    assert [result["Note"] for result in results] == [log["Note"] for log in sent]


@pytest.mark.parametrize("first_kept", [256, 65_280, 65_536, 65_792, 69_888])
def test_go_program_accepts_the_tiles_and_proofs_of_a_log_that_retention_has_shortened(
    go_program: Path, logs: dict[int, Log], first_kept: int
) -> None:
    """Retention deletes the tiles of level 0 before the first kept event.

    The Go program must refuse the log if one more tile is missing.
    """
    whole = logs[70_000]
    shortened = Log()
    shortened.size, shortened.leaves = whole.size, whole.leaves
    shortened.tiles = {
        tile: hashes for tile, hashes in whole.tiles.items() if tile.level or tile.number >= first_kept // 256
    }
    sent = input_for_go(shortened, first_kept)
    assert len(sent["Inclusion"]) >= 1
    assert len(sent["Consistency"]) >= 1
    lacking = {
        **sent,
        "Tiles": [tile for tile in sent["Tiles"] if tile["Level"] or tile["Index"] != first_kept // 256],
    }
    accepted, refused = check_with_go(go_program, [sent, lacking])
    assert accepted["Error"] == ""
    assert "is missing or too short" in refused["Error"]


def test_go_program_refuses_a_changed_checkpoint_root_leaf_or_tile(
    go_program: Path, logs: dict[int, Log]
) -> None:
    log = logs[257]
    right, changed = base64_of(log.leaves[0]), base64_of(log.leaves[1])
    whole = input_for_go(log)
    wrong_tile = {
        **whole,
        "Tiles": [{**whole["Tiles"][0], "Hashes": base64_of(bytes(8192))}, *whole["Tiles"][1:]],
    }
    wrong_leaf = {**whole, "Inclusion": [{**whole["Inclusion"][0], "Leaf": changed}]}
    wrong_root = {**whole, "Consistency": [{**whole["Consistency"][0], "Root": changed}]}
    wrong_note = {**whole, "Note": whole["Note"].replace("\n257\n", "\n256\n")}
    assert whole["Inclusion"][0]["Leaf"] == right
    errors = [
        result["Error"]
        for result in check_with_go(go_program, [wrong_tile, wrong_leaf, wrong_root, wrong_note])
    ]
    assert errors == [
        "downloaded inconsistent tile",
        "position 0: invalid transparency proof",
        "size 1: invalid transparency proof",
        f"invalid signature for key {KEY.public.name}+{KEY.public.id.hex()}",
    ]
    with pytest.raises(InvalidSignature):
        open_note(wrong_note["Note"], [KEY.public])


@pytest.fixture(scope="module")
def peer() -> pymerkle.InmemoryTree:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    tree.append_entries(entries_of(SIZES[-1]))
    return tree


@pytest.mark.parametrize("size", SIZES)
def test_pymerkle_accepts_our_root_hashes_and_inclusion_proofs(
    size: int, logs: dict[int, Log], peer: pymerkle.InmemoryTree
) -> None:
    log = logs[size]
    root = root_of(size, log.read)
    assert root == peer.get_root(size)
    for position in positions_in(size):
        # pymerkle numbers leaves from one, and its inclusion proofs begin with the leaf itself.
        proof = peer.prove_inclusion(position + 1, size)
        proof.path = [log.leaves[position], *prove_inclusion(position, size, log.read)]
        proof.verify(log.leaves[position], root, index=position + 1, size=size)

        # The format of pymerkle's consistency proofs differs from RFC 9162, so pymerkle verifies its own proof.
        consistency = peer.prove_consistency(position + 1, size)
        consistency.verify(log.root(position + 1), root, prior_size=position + 1, later_size=size)

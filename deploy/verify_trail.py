"""Verifies an export of the audit trail. This file needs Python 3.11 and the package `cryptography`, and nothing else.

    python verify_trail.py export.jsonl --key public-key.txt
    python verify_trail.py export.jsonl --key public-key.txt --previous checkpoint.txt

The result is the first word of the output, and the exit code:

    valid         0  The events are exactly those that the owner of the key has signed.
    invalid       1  The events differ. The output names the first wrong position in the log and the reason.
    undetermined  2  The program cannot decide: a file cannot be read, a key is missing, or the export is only a part.

The README of audit/transparency in the source code of hotelagent describes the format of exports.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    print("undetermined: The Python package `cryptography` is not installed. Install it with pip.")
    sys.exit(2)

FORMAT = "hotelagent-audit-export/1"
HASH_SIZE = 32
TILE_WIDTH = 256
TILE_HEIGHT = 8
ED25519 = b"\x01"
#: Maximum length of a line in bytes, so that a forged export cannot use all memory. An entry has at most 64 KiB.
LINE_LIMIT = 4 * 1024 * 1024
EVENTS_PER_PROGRESS = 10_000

# The pattern excludes lone surrogates, because lone surrogates have no UTF-8 form.
LINE = r"[^\n\ud800-\udfff]+\n"
CHECKPOINT = re.compile(rf"(?P<origin>{LINE})(0|[1-9][0-9]{{0,18}})\n([A-Za-z0-9+/]{{43}}=)\n(?:{LINE})*")
TILE = re.compile(r"tile/([0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class InvalidExport(Exception):
    """The export differs from the log that the owner of the key has signed."""


class Undetermined(Exception):
    """The program cannot decide whether the export is valid, for example because a file cannot be read."""


def from_base64(text: object) -> bytes:
    """Return the decoded bytes. Return empty bytes if the text is not canonical base64 (RFC 4648, section 3.5)."""
    try:
        content = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return b""
    return content if base64.b64encode(content).decode() == text else b""


# The functions below read signed notes (https://c2sp.org/signed-note).
# A checkpoint (https://c2sp.org/tlog-checkpoint) is a signed note about the state of a log.


class Key(NamedTuple):
    """A public Ed25519 key, and the name of its owner."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:4]


class Checkpoint(NamedTuple):
    """A signed statement about the number of entries in a log and the root hash of its Merkle tree."""

    origin: str
    size: int
    root: bytes
    signer: Key


def parse_key(text: str) -> Key:
    """Parse a public key in the text form `name+id+base64` and return the key."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    content = from_base64(encoded)
    key = Key(name, content[1:])
    if not name or content[:1] != ED25519 or len(key.raw) != 32 or key.id.hex() != key_id:
        raise Undetermined("The key file does not contain a public key in the form name+id+base64.")
    return key


def open_checkpoint(note: object, keys: list[Key]) -> Checkpoint:
    """Verify that one of the keys has signed the note. Return the checkpoint that the note contains."""
    if not isinstance(note, str):
        raise InvalidExport("The checkpoint is not a text.")
    text, separator, lines = note.rpartition("\n\n")
    text += "\n"
    match = CHECKPOINT.fullmatch(text)
    if match is None or not separator or not lines.endswith("\n"):
        raise InvalidExport("The checkpoint is malformed.")
    signer = find_signer(text, lines.removesuffix("\n").split("\n"), keys)
    return Checkpoint(match["origin"].removesuffix("\n"), int(match[2]), from_base64(match[3]), signer)


def find_signer(text: str, lines: list[str], keys: list[Key]) -> Key:
    """Return the first signer of the text whose key is in `keys`. A wrong signature by one of the keys is an error."""
    known = {(key.name, key.id): key for key in keys}
    signer = None
    for line in lines:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        signature = from_base64(encoded)
        if dash != "\N{EM DASH}" or len(signature) < 5:
            raise InvalidExport("A signature of the checkpoint is malformed.")
        key = known.get((name, signature[:4]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(signature[4:], text.encode())
        except InvalidSignature:
            raise InvalidExport(
                "The signature of the checkpoint is wrong: the checkpoint was changed."
            ) from None
        signer = signer or key
    if signer is None:
        raise InvalidExport("The checkpoint is not signed by the given key.")
    return signer


# The functions below compute the hashes of the log's Merkle tree (RFC 6962, section 2.1).
# The tree is stored in tiles (https://c2sp.org/tlog-tiles). A tile contains up to 256 neighbouring hashes of one level.


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtree_hash(hashes: bytes) -> bytes:
    """Return the root hash of a complete subtree.

    `hashes` contains the concatenated hashes of the subtree's lowest level. Their number must be a power of two.
    """
    while len(hashes) > HASH_SIZE:
        pairs = range(0, len(hashes), 2 * HASH_SIZE)
        hashes = b"".join(hashlib.sha256(b"\x01" + hashes[at : at + 2 * HASH_SIZE]).digest() for at in pairs)
    return hashes


def partial_widths(size: int) -> dict[tuple[int, int], int]:
    """Return the number of hashes in each partial tile of a tree with `size` leaves.

    A tile is partial if it has fewer than 256 hashes. Each key of the result is a pair: the level of the tile, and
    the number of the tile in this level.
    """
    widths = {}
    level = 0
    while size:
        size, width = divmod(size, TILE_WIDTH)
        if width:
            widths[level, size] = width
        level += 1
    return widths


def root_of(partial: dict[tuple[int, int], bytes]) -> bytes:
    """Compute and return the root hash of a Merkle tree from the hashes in its partial tiles."""
    root = b""
    for _tile, hashes in sorted(partial.items()):
        count = len(hashes) // HASH_SIZE
        end = count
        while end:
            # Each round of the loop adds the smallest complete subtree that ends at `end` to the root.
            width = end & -end
            part = subtree_hash(hashes[(end - width) * HASH_SIZE : end * HASH_SIZE])
            root = node_hash(part, root) if root else part
            end -= width
    return root or hashlib.sha256().digest()


class Tree:
    """The tiles (groups of up to 256 hashes) of the signed Merkle tree.

    A tile is accepted only if the tile of the next higher level contains its root hash. `earlier_size` is the size of
    the previous checkpoint.
    """

    def __init__(self, checkpoint: Checkpoint, tiles: object, earlier_size: int) -> None:
        self.partial: dict[tuple[int, int], bytes] = {}
        self.full: dict[int, tuple[int, bytes]] = {}
        self.earlier_widths = partial_widths(earlier_size)
        self.earlier: dict[tuple[int, int], bytes] = {}
        if not isinstance(tiles, list):
            raise InvalidExport("The first line has no list of tiles.")
        for member in tiles:
            level, number, hashes = parse_tile(member)
            self.partial[level, number] = hashes
            self.remember(level, number, hashes)
        widths = {tile: len(hashes) // HASH_SIZE for tile, hashes in self.partial.items()}
        if widths != partial_widths(checkpoint.size) or root_of(self.partial) != checkpoint.root:
            raise InvalidExport("The hashes in the first line do not lead to the signed root.")

    def add(self, member: dict[str, Any]) -> None:
        """Check a full tile (256 hashes) of the export and accept it. Raises InvalidExport."""
        level, number, hashes = parse_tile(member)
        above = self.hashes(level + 1, number // TILE_WIDTH)
        at = number % TILE_WIDTH * HASH_SIZE
        if len(hashes) != TILE_WIDTH * HASH_SIZE or subtree_hash(hashes) != above[at : at + HASH_SIZE]:
            first = number << TILE_HEIGHT * (level + 1)
            last = ((number + 1) << TILE_HEIGHT * (level + 1)) - 1
            raise InvalidExport(f"positions {first} to {last}: The hashes are not those of the signed log.")
        self.full[level] = number, hashes
        self.remember(level, number, hashes)

    def hashes(self, level: int, number: int) -> bytes:
        """Return the hashes of an accepted tile, or empty bytes if the tile has not been accepted."""
        if (level, number) in self.partial:
            return self.partial[level, number]
        current, hashes = self.full.get(level, (-1, b""))
        return hashes if current == number else b""

    def remember(self, level: int, number: int, hashes: bytes) -> None:
        width = self.earlier_widths.get((level, number))
        if width is not None:
            self.earlier[level, number] = hashes[: width * HASH_SIZE]

    def earlier_root(self) -> bytes | None:
        """Return the root of the tree at `earlier_size`, or None if the export lacks tiles of that tree."""
        complete = self.earlier.keys() == self.earlier_widths.keys()
        return root_of(self.earlier) if complete else None


def parse_tile(member: object) -> tuple[int, int, bytes]:
    """Parse a tile (a group of hashes) of the export. Return its level, its number in the level, and its hashes."""
    if (
        not isinstance(member, dict)
        or member.keys() != {"tile", "hashes"}
        or not isinstance(member["tile"], str)
    ):
        raise InvalidExport("A tile is malformed.")
    match = TILE.fullmatch(member["tile"])
    hashes = from_base64(member["hashes"])
    if match is None or len(hashes) != int(match[3] or TILE_WIDTH) * HASH_SIZE:
        raise InvalidExport("A tile is malformed.")
    return int(match[1]), int(match[2].replace("x", "").replace("/", "")), hashes


# Events


def check_event(line: dict[str, Any], position: int, end: int, tree: Tree) -> int:
    """Compare the event with its signed hash. `position` is the number of the event in the log.

    Return how many personal values of the event are erased or left out. Raises InvalidExport.
    """
    if line.keys() != {"position", "entry", "personal"} or type(line["position"]) is not int:
        raise ValueError
    if position >= end:
        raise InvalidExport("The export has more events than its first line says.")
    if line["position"] > position:
        raise InvalidExport(f"The event is missing. The next event has the position {line['position']}.")
    if line["position"] < position:
        raise InvalidExport(f"The event of position {line['position']} is here again or too late.")
    entry = line["entry"].encode()
    hashes = tree.hashes(0, position // TILE_WIDTH)
    if not hashes:
        raise InvalidExport("The hashes of the event are missing.")
    leaf = leaf_hash(entry)
    at = position % TILE_WIDTH * HASH_SIZE
    if leaf != hashes[at : at + HASH_SIZE]:
        if leaf in (hashes[other : other + HASH_SIZE] for other in range(0, len(hashes), HASH_SIZE)):
            raise InvalidExport("Another event of the log is here: events were deleted, inserted or swapped.")
        raise InvalidExport("The event is not the signed event: it was changed or inserted.")
    return check_personal(json.loads(entry).get("personal", {}), line["personal"])


def check_personal(commitments: dict[str, str], values: dict[str, dict[str, Any]]) -> int:
    """Compare the personal values of an event with the salted hashes that the signed log contains.

    Return the number of values that are erased or left out. Raises InvalidExport.
    """
    if commitments.keys() != values.keys():
        raise InvalidExport("The personal fields are not those of the signed event.")
    absent = 0
    for field, value in values.items():
        if value.keys() == {"digest"}:
            commitment = value["digest"]
            absent += 1
        elif value.keys() == {"salt", "value"}:
            commitment = hashlib.sha256(
                from_base64(value["salt"]) + canonical_json(value["value"])
            ).hexdigest()
        else:
            raise InvalidExport(f"The personal field {field!a} has neither a salt and a value nor a digest.")
        if commitment != commitments[field]:
            raise InvalidExport(f"The personal field {field!a} is not the signed value: it was changed.")
    return absent


def canonical_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


class Export:
    """The file of an export, which is read line by line."""

    def __init__(self, file: BinaryIO, total_bytes: int) -> None:
        self.file = file
        self.total_bytes = total_bytes
        self.line_number = 0
        self.number_of_events: object = None

    def header(self) -> dict[str, Any]:
        """Return the first line of the export. Raises Undetermined if the file is not an export in this format."""
        try:
            line = self.next_line()
        except (InvalidExport, ValueError, RecursionError):
            line = {}
        if line.get("format") != FORMAT:
            raise Undetermined(f"The file is not an export in the format {FORMAT}.")
        if line.keys() != {"format", "origin", "checkpoint", "from", "to", "tiles"}:
            raise InvalidExport("The first line does not have the members of the format.")
        return line

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the lines after the first line and before the last line. Then check the last line."""
        line = self.next_line()
        while "events" not in line:
            yield line
            line = self.next_line()
        self.number_of_events = line["events"]
        if line.keys() != {"events"} or self.file.read(1):
            raise InvalidExport("The file continues after the last line.")

    def next_line(self) -> dict[str, Any]:
        text = self.file.readline(LINE_LIMIT)
        self.line_number += 1
        if not text:
            raise InvalidExport("The file ends here: the last lines are missing.")
        # Numbers with a fraction are compared as texts, because programs print them in different ways.
        line = json.loads(text, parse_float=str, object_pairs_hook=unique_members)
        if not text.endswith(b"\n") or not isinstance(line, dict):
            raise ValueError
        return line

    def show_progress(self, position: int) -> None:
        if position % EVENTS_PER_PROGRESS == 0 and sys.stderr.isatty():
            percent = 100 * self.file.tell() // max(self.total_bytes, 1)
            print(f"\r{position} events, {percent} %", end="\r", file=sys.stderr)


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of a JSON object as a dict. Raises ValueError if a name occurs twice.

    If a name occurs twice, some JSON parsers return the first value and others return the last value.
    """
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def verify(export: Export, keys: list[Key], previous: Checkpoint | None, *, part: bool) -> str:
    """Verify the export and return a sentence that describes its contents. Raises InvalidExport or Undetermined."""
    header = export.header()
    checkpoint = open_checkpoint(header.get("checkpoint"), keys)
    start, end = header.get("from"), header.get("to")
    if header.get("origin") != checkpoint.origin:
        raise InvalidExport("The checkpoint belongs to another log than the export.")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end:
        raise InvalidExport("The positions in the first line are malformed.")
    if end > checkpoint.size:
        raise InvalidExport(
            f"The export ends at position {end}, but the checkpoint has only {checkpoint.size} events."
        )
    check_previous(previous, checkpoint)
    tree = Tree(checkpoint, header.get("tiles"), previous.size if previous else 0)
    absent = check_lines(export, tree, start, end)
    if previous is not None:
        root = tree.earlier_root()
        if root is None:
            raise Undetermined(
                f"The export has no hashes for a log of {previous.size} events. Export all positions."
            )
        if root != previous.root:
            raise InvalidExport(
                f"The first {previous.size} events are not those of the previous checkpoint:"
                " the history was changed, or cut and sealed again."
            )
    if not part and (end < checkpoint.size or start > (previous.size if previous else 0)):
        raise Undetermined(
            f"The {end - start} events from position {start} on are valid, but the log has {checkpoint.size} events."
            " Verify an export of all positions, or accept a part of the log with --part."
        )
    return (
        f"{end - start} events from position {start} on, of {checkpoint.size} events of the log {checkpoint.origin}."
        f" Signed by {checkpoint.signer.name}+{checkpoint.signer.id.hex()}."
        f" {absent} personal values are erased or left out."
    )


def check_previous(previous: Checkpoint | None, checkpoint: Checkpoint) -> None:
    if previous is None:
        return
    if previous.origin != checkpoint.origin:
        raise Undetermined(
            f"The previous checkpoint belongs to the log {previous.origin}, and not to this log."
        )
    if previous.size > checkpoint.size:
        raise InvalidExport(
            f"The checkpoint has {checkpoint.size} events, but the previous checkpoint had {previous.size}:"
            " the history was cut, or the export is older."
        )


def check_lines(export: Export, tree: Tree, start: int, end: int) -> int:
    """Check all lines after the first line. Return the number of personal values that are erased or left out."""
    position, absent = start, 0
    try:
        for line in export.lines():
            if "tile" in line:
                tree.add(line)
            else:
                absent += check_event(line, position, end, tree)
                position += 1
                export.show_progress(position)
        check_end(export, position, start, end)
    except InvalidExport as error:
        raise InvalidExport(f"position {position} (line {export.line_number}): {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        message = f"position {position} (line {export.line_number}): The line is malformed."
        raise InvalidExport(message) from None
    return absent


def check_end(export: Export, position: int, start: int, end: int) -> None:
    if position < end:
        raise InvalidExport("The event is missing, and all events after it.")
    if export.number_of_events != end - start:
        raise InvalidExport("The number of events in the last line is wrong.")


def read_keys(paths: list[Path]) -> list[Key]:
    keys = [parse_key(line) for path in paths for line in path.read_text().splitlines() if line.strip()]
    if not keys:
        raise Undetermined("The key file is empty.")
    return keys


def read_previous(path: Path | None, keys: list[Key]) -> Checkpoint | None:
    if path is None:
        return None
    try:
        return open_checkpoint(path.read_text(), keys)
    except InvalidExport as error:
        raise Undetermined(f"The previous checkpoint cannot be used. {error}") from None


def main(arguments: list[str] | None = None) -> int:
    """Verify the export that the command line names. Return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("export", type=Path, help="the file with the export (JSON Lines)")
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        required=True,
        help="a file with public keys, one per line. After a change of the key, name the old keys too.",
    )
    parser.add_argument(
        "--previous", type=Path, help="a file with an earlier checkpoint that the log must continue"
    )
    parser.add_argument(
        "--part", action="store_true", help="accept an export that has not all events of the log"
    )
    options = parser.parse_args(arguments)
    try:
        keys = read_keys(options.key)
        previous = read_previous(options.previous, keys)
        with options.export.open("rb") as file:
            export = Export(file, options.export.stat().st_size)
            message = verify(export, keys, previous, part=options.part)
    except InvalidExport as error:
        print(f"invalid: {error}")
        return 1
    except Undetermined as error:
        print(f"undetermined: {error}")
        return 2
    except (OSError, UnicodeError) as error:
        print(f"undetermined: A file cannot be read: {error}")
        return 2
    print(f"valid: {message}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

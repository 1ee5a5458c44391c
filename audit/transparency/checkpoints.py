"""Checkpoints: signed statements about the size (number of entries) and the root hash of a transparency log.

The format is specified at https://c2sp.org/tlog-checkpoint.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from audit.transparency.errors import InvalidCheckpoint
from audit.transparency.merkle import HASH_SIZE
from audit.transparency.notes import PrivateKey, PublicKey, open_note, sign_note

_TEXT = re.compile(
    r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n(?P<extensions>(?:[^\n]+\n)*)"
)
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True)
class Checkpoint:
    """The size (number of entries) and the root hash of the log with the name `origin`.

    `extensions` has additional lines that are signed too, and that this library does not interpret.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return the text of the checkpoint, which each key signs."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))


def parse_checkpoint(text: str) -> Checkpoint:
    """Parse the text of a checkpoint without its signatures. Raises InvalidCheckpoint."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise InvalidCheckpoint(
            "The text is not a checkpoint: an origin, a size and a root, each on one line."
        )
    root = base64.b64decode(match["root"])
    checkpoint = Checkpoint(
        match["origin"], int(match["size"]), root, tuple(match["extensions"].split("\n")[:-1])
    )
    # Each checkpoint has exactly one text, so a root hash that is not in canonical base64 is refused.
    if len(root) != HASH_SIZE or checkpoint.size > _MAX_SIZE or checkpoint.text != text:
        raise InvalidCheckpoint("The size or the root of the checkpoint is malformed.")
    return checkpoint


def unverified_checkpoint(note: str) -> Checkpoint:
    """Parse a signed note and return its checkpoint. The signatures are not verified. Raises InvalidCheckpoint."""
    return parse_checkpoint(note.rpartition("\n\n")[0] + "\n")


def sign_checkpoint(checkpoint: Checkpoint, keys: Iterable[PrivateKey]) -> str:
    """Return a signed note with the text of the checkpoint and a signature by each key.

    Raises InvalidCheckpoint if the size, the root hash or another value of the checkpoint is malformed.
    """
    parse_checkpoint(checkpoint.text)
    return sign_note(checkpoint.text, keys)


def open_checkpoint(
    note: str, keys: Iterable[PublicKey], *, origin: str
) -> tuple[Checkpoint, list[PublicKey]]:
    """Verify a signed note, and return the checkpoint in the note and the keys that have signed the note.

    Raises InvalidNote or a subclass if none of `keys` has signed the note. Raises InvalidCheckpoint if the note is not
    a checkpoint of the log with the name `origin`.
    """
    text, signers = open_note(note, keys)
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != origin:
        raise InvalidCheckpoint(f"The checkpoint belongs to the log {checkpoint.origin} and not to {origin}.")
    return checkpoint, signers

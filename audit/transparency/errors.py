"""The errors that the library for transparency logs raises."""


class TransparencyError(ValueError):
    """The base class of the errors in this module.

    The error message says what is wrong, in English, for operators and auditors.
    """


class InvalidTile(TransparencyError):
    """A tile (a stored block of up to 256 hashes) has too few hashes, or a path is not the path of a tile."""


class TileNotFound(TransparencyError):
    """A tile (a stored block of up to 256 hashes) that is needed to compute a root hash or a proof is missing."""


class InvalidProof(TransparencyError):
    """An inclusion or consistency proof does not match the root hash, or the requested proof cannot exist."""


class InvalidKey(TransparencyError):
    """A text is not a key in the form of the specification https://c2sp.org/signed-note."""


class InvalidNote(TransparencyError):
    """A text is not a signed note: a text that is followed by signature lines (https://c2sp.org/signed-note)."""


class InvalidSignature(InvalidNote):
    """A signature of a known key does not match the text of the signed note."""


class SignatureNotFound(InvalidNote):
    """A signed note has no signature of a known key."""


class InvalidCheckpoint(TransparencyError):
    """The text of a note is not a checkpoint, or the checkpoint belongs to another log."""

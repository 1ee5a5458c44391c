"""The errors of the transparency log."""


class TransparencyError(ValueError):
    """The base class of these errors. The message says what is wrong, in English, for operators and auditors."""


class InvalidTile(TransparencyError):
    """A tile has too few hashes, or a path is not the path of a tile."""


class TileNotFound(TransparencyError):
    """A tile that is needed for a root or a proof is missing."""


class InvalidProof(TransparencyError):
    """A proof does not prove what it should prove."""


class InvalidKey(TransparencyError):
    """A text is not a key in the form of the signed-note specification."""


class InvalidNote(TransparencyError):
    """A text is not a signed note."""


class InvalidSignature(InvalidNote):
    """A signature of a known key does not match the text of the note."""


class SignatureNotFound(InvalidNote):
    """No known key has signed the note."""


class InvalidCheckpoint(TransparencyError):
    """The text of a note is not a checkpoint, or the checkpoint belongs to another log."""

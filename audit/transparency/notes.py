"""Signed notes: texts with Ed25519 signatures in the last lines (https://c2sp.org/signed-note).

The Go package `sumdb/note` reads and writes the same format. A key has a name and an id. The text form of the key and
each signature line contain the name and the id.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.transparency.errors import InvalidKey, InvalidNote, InvalidSignature, SignatureNotFound

_PRIVATE_PREFIX = "PRIVATE+KEY+"
_ED25519 = b"\x01"
_KEY_SIZE = 32
_SIGNATURE_PREFIX = "\N{EM DASH} "
_MAX_SIGNATURES = 100
# Lone surrogates (halves of a UTF-16 pair) are forbidden too, because they have no UTF-8 form.
_FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True)
class PublicKey:
    """A public Ed25519 key that verifies signatures of notes. The text form of the key is `name+id+base64`."""

    name: str
    raw: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the public key that has this text form. Raises InvalidKey."""
        name, key_id, raw = _parse_key(text.strip())
        key = cls(name, raw)
        if key.id.hex() != key_id:
            raise InvalidKey("The id of the public key does not match the key.")
        return key

    @property
    def id(self) -> bytes:
        """The id of the key: the first four bytes of the hash of its name and its raw bytes."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    @property
    def text(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_to_base64(_ED25519 + self.raw)}"

    def matches(self, signature: bytes, text: str) -> bool:
        """Return whether the 64 bytes of `signature` are this key's signature of the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text.encode())
        except WrongSignature:
            return False
        return True


class PrivateKey:
    """A private Ed25519 key that signs notes.

    The text form of the key is `PRIVATE+KEY+name+id+base64`. The text form must be kept secret.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(_check_name(name), self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> Self:
        """Create a random key with this name. Raises InvalidKey if the name is empty or has a space or a plus sign."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the private key that has this text form. Raises InvalidKey, whose message does not contain the key."""
        text = text.strip()
        if not text.startswith(_PRIVATE_PREFIX):
            raise InvalidKey(f"The private key does not begin with {_PRIVATE_PREFIX}.")
        name, key_id, seed = _parse_key(text.removeprefix(_PRIVATE_PREFIX))
        key = cls(name, seed)
        if key.public.id.hex() != key_id:
            raise InvalidKey("The id of the private key does not match the key.")
        return key

    @property
    def text(self) -> str:
        seed = self._key.private_bytes_raw()
        return f"{_PRIVATE_PREFIX}{self.public.name}+{self.public.id.hex()}+{_to_base64(_ED25519 + seed)}"

    def signature_line(self, text: str) -> str:
        """Sign the text, and return the signature line that is added to the note."""
        signature = self.public.id + self._key.sign(text.encode())
        return f"{_SIGNATURE_PREFIX}{self.public.name} {_to_base64(signature)}\n"


def sign_note(text: str, keys: Iterable[PrivateKey]) -> str:
    """Return a signed note: the text, followed by one signature line per key.

    The text must end with a newline. Other control characters are not allowed. Raises InvalidNote if the text cannot be
    signed.
    """
    if not text.endswith("\n") or _FORBIDDEN.search(text):
        raise InvalidNote("The text of a note must end with a newline and have no other control characters.")
    note = f"{text}\n{''.join(key.signature_line(text) for key in keys)}"
    if note.endswith("\n\n"):
        raise InvalidNote("A note needs at least one signature.")
    return note


def open_note(note: str, keys: Iterable[PublicKey]) -> tuple[str, list[PublicKey]]:
    """Verify a signed note, and return its text and the keys in `keys` that have signed the note.

    Signatures of unknown keys are ignored. Raises InvalidSignature if a signature by one of `keys` is wrong,
    SignatureNotFound if none of `keys` has signed the note, and InvalidNote if the text is not a signed note.
    """
    text, signatures = _split_note(note)
    known = {(key.name, key.id): key for key in keys}
    signers: list[PublicKey] = []
    for name, signature in signatures:
        key = known.get((name, signature[:4]))
        if key is None or key in signers:
            continue
        if not key.matches(signature[4:], text):
            raise InvalidSignature(f"The signature of the key {name}+{key.id.hex()} does not match the note.")
        signers.append(key)
    if not signers:
        names = ", ".join(f"{name}+{signature[:4].hex()}" for name, signature in signatures)
        raise SignatureNotFound(f"No known key has signed the note. It is signed by {names}.")
    return text, signers


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not lines.endswith("\n") or _FORBIDDEN.search(note):
        raise InvalidNote("The text is not a signed note.")
    signatures = lines.removesuffix("\n").split("\n")
    if len(signatures) > _MAX_SIGNATURES:
        raise InvalidNote(f"The note has more than {_MAX_SIGNATURES} signatures.")
    return text + "\n", [_parse_signature(line) for line in signatures]


def _parse_signature(line: str) -> tuple[str, bytes]:
    name, _space, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    signature = _from_base64(encoded)
    if (
        not line.startswith(_SIGNATURE_PREFIX)
        or not _is_name(name)
        or signature is None
        or len(signature) < 5
    ):
        raise InvalidNote("A signature line of the note is malformed.")
    return name, signature


def _parse_key(text: str) -> tuple[str, str, bytes]:
    """Split the text form of a key into its name, its id in hexadecimal form and its raw bytes.

    Only the first two plus signs are separators, because the base64 text may contain plus signs too.
    """
    name, _plus, rest = text.partition("+")
    key_id, _plus, encoded = rest.partition("+")
    content = _from_base64(encoded)
    if content is None or not _KEY_ID.fullmatch(key_id):
        raise InvalidKey("The key does not have the form name+id+base64.")
    if content[:1] != _ED25519 or len(content) != 1 + _KEY_SIZE:
        raise InvalidKey("The key is not an Ed25519 key.")
    return _check_name(name), key_id, content[1:]


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


def _check_name(name: str) -> str:
    if not _is_name(name) or _FORBIDDEN.search(name):
        raise InvalidKey(
            "The name of a key must not be empty or have spaces, plus signs or control characters."
        )
    return name


def _to_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _from_base64(text: str) -> bytes | None:
    """Return the decoded bytes, or None if the text is not canonical base64.

    Canonical base64 has exactly one text for the same bytes.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if _to_base64(content) == text else None

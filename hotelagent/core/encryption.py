"""Authenticated encryption (AES-256-GCM) of values that are stored in the database."""

import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

_NONCE_LENGTH = 12


def derive_key(purpose: bytes) -> bytes:
    """Return a 256-bit key for this purpose, derived from SECRET_KEY with HKDF (RFC 5869).

    Values that are encrypted for one purpose can't be decrypted with the key of another purpose.
    """
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    return hkdf.derive(force_bytes(settings.SECRET_KEY))


def encrypt(plaintext: bytes, *, key: bytes, associated_data: bytes) -> bytes:
    """Encrypt the plaintext. Return the nonce followed by the ciphertext and its authentication tag.

    `associated_data` identifies the row that the value belongs to, and is not stored. `decrypt` needs the same
    `associated_data`, so a value that was copied to another row can't be decrypted there.
    """
    nonce = secrets.token_bytes(_NONCE_LENGTH)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, associated_data)


def decrypt(encrypted: bytes, *, key: bytes, associated_data: bytes) -> bytes:
    """Decrypt a value that `encrypt` returned, and return its plaintext.

    Raises `cryptography.exceptions.InvalidTag` if the key or the associated data differ, or if a byte was changed.
    """
    return AESGCM(key).decrypt(encrypted[:_NONCE_LENGTH], encrypted[_NONCE_LENGTH:], associated_data)

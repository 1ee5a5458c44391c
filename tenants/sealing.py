"""Bytes that only who has the key can read, and that nobody can change or put in another's place (AES-GCM)."""

import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


def seal(plain: bytes, *, key: bytes, about: bytes) -> bytes:
    """`about` is what it belongs to: nothing else opens it."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def unseal(sealed: bytes, *, key: bytes, about: bytes) -> bytes:
    """Raises cryptography's InvalidTag where the key or `about` is another, or a byte was changed."""
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)

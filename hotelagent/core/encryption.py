"""Bytes that only who has the key can read, and that nobody can change or put in another's place (AES-GCM)."""

import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

_NONCE_BYTES = 12


def key_for(purpose: bytes) -> bytes:
    """The deployment's own key for this purpose, derived from SECRET_KEY (RFC 5869)."""
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    return derive.derive(force_bytes(settings.SECRET_KEY))


def seal(plain: bytes, *, key: bytes, about: bytes) -> bytes:
    """`about` is what it belongs to: nothing else opens it."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def unseal(sealed: bytes, *, key: bytes, about: bytes) -> bytes:
    """Raises cryptography's InvalidTag where the key or `about` is another, or a byte was changed."""
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)

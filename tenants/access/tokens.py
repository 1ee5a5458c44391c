"""Random tokens: the secrets of API keys, of links in e-mails, of support sessions and of holds.

The database contains only the digests of tokens. Tokens have 256 random bits, so a fast hash (SHA-256) is safe.
"""

import hashlib
import secrets


def new_token() -> str:
    """Return a token with 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """Return the digest of a token, in the form that is stored in the database."""
    return hashlib.sha256(token.encode()).digest()

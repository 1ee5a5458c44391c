"""The owner of a hold: the client that has its token, or the member of staff who acquired it."""

import hashlib
import secrets

from tenants.context import current_actor

#: The kind of actor that needs no token for its own holds, because its members log in.
_STAFF = "user"


def holder() -> str:
    """Return the current actor as `Allocation.holder` stores it."""
    actor = current_actor()
    return f"{actor.kind}:{actor.id}"


def staff_holder() -> str | None:
    """Return the current actor as `holder` does if it is a member of staff, else None."""
    return holder() if current_actor().kind == _STAFF else None


def new_token() -> str:
    """Return a token with 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """Return the digest of a token, which is what is stored. Tokens are random, so a fast hash is safe."""
    return hashlib.sha256(token.encode()).digest()


def ownership(token: str | None) -> dict[str, str | None]:
    """Return what the database functions compare with the owner of a hold: the token's digest, and the staff holder."""
    return {"digest": rf"\x{digest(token or '').hex()}", "staff": staff_holder()}

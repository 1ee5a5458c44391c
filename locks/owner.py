"""Who owns a hold: whoever has its token, or the member of staff who made it."""

import hashlib
import secrets

from tenants.context import current_actor

#: A holder's kinds are a user, a key, a task ...; only people need no token: they have logged in.
_STAFF = "user"


def holder() -> str:
    """How the current actor is written down on what it holds."""
    actor = current_actor()
    return f"{actor.kind}:{actor.id}"


def staff_holder() -> str | None:
    """The same for a member of staff; None for all others, whose token must say it."""
    return holder() if current_actor().kind == _STAFF else None


def new_token() -> str:
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored of a token. It has 256 random bits, so a fast hash will do."""
    return hashlib.sha256(token.encode()).digest()

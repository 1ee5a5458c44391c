"""The owner of a hold: the client that has its token, or the member of staff who acquired it."""

from tenants.access.tokens import digest
from tenants.context import current_actor

#: The `kind` of actors who are members of staff. Staff need no token for their own holds, because they log in.
_STAFF = "user"


def holder() -> str:
    """Return the current actor in the format of `Allocation.holder`.

    In a task, return the person who started the task.
    """
    actor = current_actor().responsible
    return f"{actor.kind}:{actor.id}"


def staff_holder() -> str | None:
    """Return the current actor as `<kind>:<id>` if the actor is a member of staff, otherwise None."""
    return holder() if current_actor().kind == _STAFF else None


def ownership(token: str | None) -> dict[str, str | None]:
    """Return the values by which database functions recognize the owner of a hold.

    The values are the digest of the token and the result of `staff_holder()`.
    """
    return {"digest": rf"\x{digest(token or '').hex()}", "staff": staff_holder()}

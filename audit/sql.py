"""An event that a statement of another app writes, in the same message as what it tells of.

The statement names the event and its fields, most of which it alone knows; who acts is told by us, and the key:
nothing is drawn from a sequence. A test of the other app holds that what is written is registered.
"""

from hotelagent.ids import uuid7
from tenants.context import current_actor


def acting() -> dict[str, str | None]:
    """Who acts, from where and in which request, and as `event` the key of a new event. For JSON."""
    actor = current_actor()
    return {
        "event": str(uuid7()),
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_label": actor.label[:200],
        "ip": actor.ip,
        "request_id": actor.request_id or "",
    }

"""An event that a statement of another app writes, in the same message as what it tells of.

What the statement alone knows (a room's number, the database's time) it draws itself; the rest is made here,
checked against the registry like any other event, its key included: nothing is drawn from a sequence.
"""

from collections.abc import Collection

from django.core.serializers.json import DjangoJSONEncoder

from audit import registry
from audit.registry import EventType
from hotelagent.ids import uuid7
from tenants.context import current_actor

_encode = DjangoJSONEncoder().encode


def form(event: EventType, *, drawn: Collection[str], **fields: object) -> str:
    """The event as JSON for a statement that adds the `drawn` fields to its `data`. Raises as `record` does."""
    event = registry.get(event.name)
    event.check_fields([*drawn, *fields])
    actor = current_actor()
    return _encode(
        {
            "id": str(uuid7()),
            "event": event.name,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "actor_label": actor.label[:200],
            "ip": actor.ip,
            "request_id": actor.request_id or "",
            "data": fields,
        }
    )

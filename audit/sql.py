"""An event that a statement of another app writes, in the same message as what it tells of.

The statement names the event and its fields, most of which it alone knows; who acts is told by us, and the key:
nothing is drawn from a sequence. A test of the other app holds that what is written is registered.
"""

from hotelagent.core.ids import uuid7
from tenants.context import current_actor

#: Who acts, as `acting` says it in a function's argument `given`; and where nobody asked for what happens.
GIVEN = """given ->> 'actor_kind', given ->> 'actor_id', given ->> 'actor_label', (given ->> 'ip')::inet,
        given ->> 'request_id'"""
NOBODY = "'system', '', 'system', NULL, ''"


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


def event_insert(
    event: str,
    *,
    subject: tuple[str, str],
    data: str,
    key: str = "(given ->> 'event')::uuid",
    actor: str = GIVEN,
) -> str:
    """The statement for a function's body. All but the event's name and the subject's kind is SQL.

    Migrations are made with it: what it makes of a released one must stay as it is.
    """
    kind, identifier = subject
    return f"""
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    VALUES ({key}, '{event}', {actor}, '{kind}', {identifier}::text, {data});
"""  # noqa: S608 - put together from constants

"""SQL that records an audit event inside a database function of another app.

The function supplies the fields of the event. This module supplies the actor and the id of the event. A test of the
other app checks that the event type is registered.
"""

from hotelagent.core.ids import uuid7
from tenants.context import current_actor

#: SQL for the actor columns: from the function's argument `given` (see `acting`), and for events without an actor.
GIVEN = """given ->> 'actor_kind', given ->> 'actor_id', given ->> 'actor_label', (given ->> 'ip')::inet,
        given ->> 'request_id'"""
NOBODY = "'system', '', 'system', NULL, ''"


def acting() -> dict[str, str | None]:
    """Return the current actor, IP address and request id, and a new event id as `event`, for use as JSON."""
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
    """Return the INSERT statement for a function's body. All arguments are SQL except `event` and the subject's kind.

    Migrations contain the returned SQL, so it must not change for released migrations.
    """
    kind, identifier = subject
    return f"""
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    VALUES ({key}, '{event}', {actor}, '{kind}', {identifier}::text, {data});
"""  # noqa: S608 - put together from constants

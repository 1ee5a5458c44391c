"""The origin of an event: who caused the event (the actor), in which request and task.

The initiator is the person or API key that started the task. Names, addresses and user agents are personal data, so
they are stored separately and can be erased.
"""

from typing import Any

from hotelagent.core.text import storable
from tenants.context import Actor, current_actor

_LABEL_LENGTH = 200
_USER_AGENT_LENGTH = 200
_ID_LENGTH = 64


def actor_as_json() -> dict[str, Any]:
    """Convert the current actor to JSON for the parameter `actor` of the database function `audit_record`.

    The keys `kind`, `id`, `request_id`, `task_id` and `idempotency_key` have text values. If a person or API key
    started the task, `initiator` has the keys `kind` and `id`. `personal` has the personal values of the actor and of
    the initiator.
    """
    actor = current_actor()
    origin: dict[str, Any] = {
        "kind": actor.kind,
        "id": identifier(actor.id),
        "request_id": identifier(actor.request_id or ""),
        "task_id": identifier(actor.task_id),
        "idempotency_key": identifier(actor.idempotency_key),
        "personal": {},
    }
    if personal := _personal(actor):
        origin["personal"]["actor"] = personal
    if actor.initiator is not None:
        origin["initiator"] = {"kind": actor.initiator.kind, "id": identifier(actor.initiator.id)}
        if personal := _personal(actor.initiator):
            origin["personal"]["initiator"] = personal
    return origin


def actor_from_json(origin: dict[str, Any]) -> Actor:
    """Convert the JSON that `actor_as_json` returned back to an actor."""
    initiator = origin.get("initiator")
    personal = origin["personal"]
    return Actor(
        kind=origin["kind"],
        id=origin["id"],
        request_id=origin["request_id"] or None,
        task_id=origin["task_id"],
        idempotency_key=origin["idempotency_key"],
        initiator=Actor(**initiator, **_with_label(personal.get("initiator"), initiator["id"]))
        if initiator
        else None,
        **_with_label(personal.get("actor"), origin["id"] or origin["kind"]),
    )


def without_person(origin: dict[str, Any], user_id: str) -> dict[str, Any]:
    """Return the JSON of an actor without the personal values of a member of staff. The id of the person remains."""
    initiator = origin.get("initiator") or {}
    people = {
        "actor": (origin["kind"], origin["id"]),
        "initiator": (initiator.get("kind"), initiator.get("id")),
    }
    personal = {
        name: value for name, value in origin["personal"].items() if people[name] != ("user", user_id)
    }
    return {**origin, "personal": personal}


def _with_label(personal: dict[str, Any] | None, default: str) -> dict[str, Any]:
    return {"label": default, **(personal or {})}


def _personal(actor: Actor) -> dict[str, Any]:
    """Return the personal values of an actor: the name, the address and the user agent.

    The name of a program is not personal, because it equals the id or kind of the actor.
    """
    personal: dict[str, Any] = {}
    if actor.label not in {"", actor.id, actor.kind}:
        personal["label"] = storable(actor.label[:_LABEL_LENGTH])
    if actor.ip:
        personal["ip"] = storable(actor.ip[:_ID_LENGTH])
    if actor.ip_is_peer:
        personal["ip_is_peer"] = True
    if actor.user_agent:
        personal["user_agent"] = storable(actor.user_agent[:_USER_AGENT_LENGTH])
    return personal


def identifier(text: str) -> str:
    """Return an id in the form that an event stores: a text of limited length that PostgreSQL accepts."""
    return storable(text[:_ID_LENGTH])

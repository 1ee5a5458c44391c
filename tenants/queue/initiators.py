"""The actor of a Celery task, and the headers of a message that identify the origin of the task.

The initiator of a task is the person, API key or command that sent the message.
"""

from collections.abc import Mapping
from typing import Any

from hotelagent.core.text import storable
from tenants.context import Actor, current_actor

REQUEST_ID_HEADER = "request"
#: The header with the initiator. Its value is an object with the keys `kind`, `id` and `label`.
INITIATOR_HEADER = "initiator"
#: The kinds of actors that are recorded as initiators.
_KINDS = ("user", "key", "command")


def initiator_headers() -> dict[str, dict[str, str]]:
    """Return the header that identifies the initiator of a message, or an empty dict if there is no initiator.

    A message that a task sends has the initiator of the task.
    """
    initiator = current_actor().responsible
    if initiator.kind not in _KINDS:
        return {}
    return {INITIATOR_HEADER: {"kind": initiator.kind, "id": initiator.id, "label": initiator.label}}


def initiator_in(headers: Mapping[str, Any]) -> Actor | None:
    """Return the initiator in the headers of a message, or None if there is none or if the header is not valid."""
    match headers.get(INITIATOR_HEADER):
        case {"kind": kind, "id": str(id_), "label": str(label)} if kind in _KINDS:
            return Actor(kind=kind, id=id_, label=label)
        case _:
            return None


def task_actor(headers: Mapping[str, Any], *, name: str, task_id: str) -> Actor:
    """Return the actor for the Celery task with this name, whose message has these headers.

    The values of a message can contain any characters. Characters that the audit trail cannot store are replaced.
    """
    name = storable(name)
    return Actor(
        kind="task",
        id=name,
        label=name,
        request_id=storable(str(headers.get(REQUEST_ID_HEADER) or "")) or None,
        task_id=storable(task_id),
        initiator=initiator_in(headers),
    )

"""The actor of a Celery task, and the headers of a message that identify the origin of the task.

The initiator of a task is the person, API key or command that sent the message.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.apps import apps

from hotelagent.core.text import storable
from tenants.context import Actor, current_actor

REQUEST_ID_HEADER = "request"
#: The header with the initiator. Its value is an object with the keys `kind`, `id` and `label`.
INITIATOR_HEADER = "initiator"
#: The kinds of actors that are recorded as initiators.
_KINDS = ("user", "key", "command")
#: The models with the names of initiators. The due queue imports this module before Django has loaded the models.
_MODELS = {"user": "tenants.User", "key": "tenants.ApiKey"}
#: The maximum length of a value in the column `initiator` of due items.
_TEXT_LENGTH = 80


def initiator_headers() -> dict[str, dict[str, str]]:
    """Return the header that identifies the initiator of a message, or an empty dict if there is no initiator.

    A message that a task sends has the initiator of the task.
    """
    initiator = current_actor().responsible
    if initiator.kind not in _KINDS:
        return {}
    return _header(initiator.kind, initiator.id, initiator.label)


def _header(kind: str, id_: str, label: str) -> dict[str, dict[str, str]]:
    return {INITIATOR_HEADER: {"kind": kind, "id": id_, "label": label}}


def initiator_as_text() -> str | None:
    """Return the kind and the id of the initiator of the current work, such as "user:<id>".

    Return None if there is no initiator. The due queue stores this text. The text has no name, because the due queue
    contains no personal data.
    """
    initiator = current_actor().responsible
    return f"{initiator.kind}:{initiator.id}"[:_TEXT_LENGTH] if initiator.kind in _KINDS else None


def header_of(text: str) -> dict[str, dict[str, str]]:
    """Return the message header that identifies the initiator. `text` is a result of `initiator_as_text`.

    If `text` is empty, return no header. The header does not contain the initiator's name. The worker reads the name
    from the hotel's tables.
    """
    kind, _colon, id_ = text.partition(":")
    return _header(kind, id_, "") if text else {}


def initiator_in(headers: Mapping[str, Any]) -> Actor | None:
    """Return the initiator in the headers of a message, or None if the header is missing or not valid."""
    match headers.get(INITIATOR_HEADER):
        case {"kind": kind, "id": str(id_), "label": str(label)} if kind in _KINDS:
            return Actor(kind=kind, id=id_, label=label)
        case _:
            return None


def with_initiator_name(actor: Actor) -> Actor:
    """Return the actor with the name of its initiator. A missing name is read from the tables of the current tenant.

    If the person or API key does not exist, the id is used as the name.
    """
    initiator = actor.initiator
    if initiator is None or initiator.label:
        return actor
    return replace(actor, initiator=replace(initiator, label=_name_of(initiator) or initiator.id))


def _name_of(initiator: Actor) -> str:
    """Return the user name of a person or the name of an API key. Return an empty text for a command."""
    name = _MODELS.get(initiator.kind)
    if name is None:
        return ""
    with suppress(ValueError):
        found = apps.get_model(name).objects.filter(pk=UUID(initiator.id)).first()
        return "" if found is None else str(found)
    return ""


def task_actor(headers: Mapping[str, Any], *, name: str, task_id: str) -> Actor:
    """Return the actor for a Celery task. `headers` are the headers of the task's message.

    Characters in the headers that the audit trail cannot store are replaced.
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

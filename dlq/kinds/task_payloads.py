"""Declarations of the kinds of failures of Celery tasks, with JSON Schemas of the tasks' arguments."""

from typing import Any

from dlq.kinds.registry import Kind, register_kind
from tenants.queue import due

_ID = {"type": "string", "format": "uuid"}
_IDS = {"type": "array", "items": _ID}


def _arguments_schema(argument: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the payload of a task that has one positional argument."""
    return {
        "type": "object",
        "required": ["args", "kwargs"],
        "additionalProperties": False,
        "properties": {
            "args": {"type": "array", "prefixItems": [argument], "items": False, "minItems": 1},
            "kwargs": {"type": "object", "maxProperties": 0},
        },
    }


def register_due_tasks() -> None:
    """Register the kinds of failures of the Celery tasks that process due items (entries of the queue of scheduled
    work).

    The argument of such a task is a list of ids. Each app calls this function when Django starts, after it has
    registered its kinds of due items.
    """
    for task in {kind.task for kind in due.kinds().values()}:
        register_kind(Kind(name=task, schema=_arguments_schema(_IDS)))


def register_id_task(name: str) -> None:
    """Register the kind of failure of a Celery task whose only argument is an id."""
    register_kind(Kind(name=name, schema=_arguments_schema(_ID)))

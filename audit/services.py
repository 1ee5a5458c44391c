"""Writing to the trail. Who acts, from where and in which request comes from `tenants.context`."""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from contextvars import copy_context

import structlog
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from audit import registry
from audit.models import Event
from audit.registry import EventType
from hotelagent.core.ids import uuid7
from tenants.context import current_actor

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 1.0

# One parameter for thousands of rows: a statement with one for each column of each row takes longer to put together
# than all else that an import does for a changed row.
_INSERT_MANY = """
INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id, subject_kind, subject_id, data)
SELECT new.id, %s, %s, %s, %s, %s::inet, %s, new.kind, new.subject, new.data
FROM json_to_recordset(%s) AS new (id uuid, kind text, subject text, data jsonb)
"""

#: What an event is about: its kind, as in the API's addresses ("hold", "room"), and its id.
Subject = tuple[str, object]


def record(event: EventType, *, subject: Subject | None = None, **fields: object) -> Event:
    """Write one event in the caller's transaction: if that is rolled back, the event never happened.

    Raises EventTypeNotFound or InvalidEventFields before anything is written.
    """
    row = _row(event, subject, fields)
    row.save(force_insert=True)
    return row


def actor_as_json() -> dict[str, str | None]:
    """Return the current actor as the database function `audit_record` takes it."""
    actor = current_actor()
    return {
        "kind": actor.kind,
        "id": actor.id,
        "label": actor.label[:200],
        "ip": actor.ip,
        "request_id": actor.request_id or "",
    }


def record_apart(event: EventType, *, subject: Subject | None = None, **fields: object) -> None:
    """Write one event that stays whatever becomes of the caller's transaction.

    For what was refused: a failed login, an access denied, a clash. Committed on return; only where the caller
    itself is what the second connection waits for (a pool with nothing left) does it return before, and the
    event follows when the caller's transaction has ended.
    """
    row = _row(event, subject, fields)
    if connection.in_atomic_block:
        _save_apart(row)
    else:
        row.save(force_insert=True)


def _save_apart(row: Event) -> None:
    """Insert on a thread: its connection is another one, and it can be left behind while it waits for a pool."""
    saved: Future[None] = Future()
    context = copy_context()

    def save() -> None:
        try:
            context.run(row.save, force_insert=True)
        except Exception as error:
            log.exception("audit.not_recorded", audit_event=row.event)
            saved.set_exception(error)
        else:
            saved.set_result(None)
        finally:
            connection.close()

    threading.Thread(target=save, name="audit-apart").start()
    try:
        saved.result(PATIENCE_SECONDS)
    except TookTooLong:
        log.warning("audit.recorded_later", audit_event=row.event)


def record_many(event: EventType, rows: Iterable[tuple[Subject | None, Mapping[str, object]]]) -> int:
    """Write many events of one type, each `(subject, fields)`, in the caller's transaction; returns how many.

    For a change that people would look for on each thing it touched. An import of a whole file is one act:
    record one summary.
    """
    told = [
        {"id": uuid7(), "kind": kind, "subject": str(identifier), "data": fields}
        for (kind, identifier), fields in _checked(event, rows)
    ]
    if told:
        actor = current_actor()
        values = [event.name, actor.kind, actor.id, actor.label[:200], actor.ip, actor.request_id or ""]
        with connection.cursor() as cursor:
            cursor.execute(_INSERT_MANY, [*values, json.dumps(told, cls=DjangoJSONEncoder)])
    return len(told)


def _checked(
    event: EventType, rows: Iterable[tuple[Subject | None, Mapping[str, object]]]
) -> Iterator[tuple[Subject, Mapping[str, object]]]:
    event = registry.get(event.name)
    for subject, fields in rows:
        event.check_fields(fields)
        yield subject or ("", ""), fields


def _row(event: EventType, subject: Subject | None, fields: Mapping[str, object]) -> Event:
    event = registry.get(event.name)
    event.check_fields(fields)
    actor = current_actor()
    kind, identifier = subject or ("", "")
    return Event(
        event=event.name,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:200],
        ip=actor.ip,
        request_id=actor.request_id or "",
        subject_kind=kind,
        subject_id=str(identifier),
        data=fields,
    )

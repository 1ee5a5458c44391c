"""Functions that record events in the audit trail. The actor, IP address and request id come from `tenants.context`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError

import structlog
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from audit import registry
from audit.models import Event
from audit.registry import EventType
from hotelagent.core.ids import uuid7
from tenants.context import current_actor
from tenants.database.connections import start_on_second_connection

log = structlog.get_logger(__name__)

#: Maximum number of seconds that `record_in_own_transaction` waits until its second connection has committed.
TIMEOUT_SECONDS = 1.0

_LABEL_LENGTH = 200

# All rows are passed as one JSON parameter, because thousands of separate parameters would slow down imports.
_INSERT_MANY = """
INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id, subject_kind, subject_id, data)
SELECT new.id, %s, %s, %s, %s, %s::inet, %s, new.kind, new.subject, new.data
FROM json_to_recordset(%s) AS new (id uuid, kind text, subject text, data jsonb)
"""

#: The kind and the id of the object that an event is about, such as ("hold", id).
Subject = tuple[str, object]


def record(event_type: EventType, *, subject: Subject | None = None, **fields: object) -> Event:
    """Record an event in the caller's transaction. If the transaction is rolled back, the event is not recorded.

    Raises EventTypeNotFound and InvalidEventFields before anything is written.
    """
    event = _build_event(event_type, subject, fields)
    event.save(force_insert=True)
    return event


def record_in_own_transaction(
    event_type: EventType, *, subject: Subject | None = None, **fields: object
) -> None:
    """Record an event that is kept if the caller's transaction is rolled back.

    Use it for denials: a failed login, denied access or a conflict. The event is usually committed when this function
    returns. If no second connection becomes free within TIMEOUT_SECONDS, the function returns, and the event is
    recorded later.
    """
    event = _build_event(event_type, subject, fields)
    if connection.in_atomic_block:
        _save_on_thread(event)
    else:
        event.save(force_insert=True)


def _save_on_thread(event: Event) -> None:
    """Save the event in a new thread with a separate database connection. Wait for at most TIMEOUT_SECONDS.

    If the thread needs longer, it continues after this function has returned.
    """

    def save() -> None:
        try:
            event.save(force_insert=True)
        except Exception:
            log.exception("audit.not_recorded", audit_event=event.event)
            raise

    saved = start_on_second_connection(save, name="audit-record")
    try:
        saved.result(TIMEOUT_SECONDS)
    except FutureTimeoutError:
        log.warning("audit.recording_delayed", audit_event=event.event)


def record_many(event_type: EventType, events: Iterable[tuple[Subject | None, Mapping[str, object]]]) -> int:
    """Record events of one type in the caller's transaction. Return the number of events.

    Each event is a pair of a subject and a mapping of fields.
    Use this function if the history of each subject must show the event. An operation on very many objects should
    record one event with a summary instead.
    """
    rows = [
        {"id": uuid7(), "kind": kind, "subject": str(identifier), "data": fields}
        for (kind, identifier), fields in _check_events(event_type, events)
    ]
    if rows:
        actor = current_actor()
        values = [
            event_type.name,
            actor.kind,
            actor.id,
            actor.label[:_LABEL_LENGTH],
            actor.ip,
            actor.request_id or "",
        ]
        with connection.cursor() as cursor:
            cursor.execute(_INSERT_MANY, [*values, json.dumps(rows, cls=DjangoJSONEncoder)])
    return len(rows)


def _check_events(
    event_type: EventType, events: Iterable[tuple[Subject | None, Mapping[str, object]]]
) -> Iterator[tuple[Subject, Mapping[str, object]]]:
    event_type = registry.get(event_type.name)
    for subject, fields in events:
        event_type.check_fields(fields)
        yield subject or ("", ""), fields


def _build_event(event_type: EventType, subject: Subject | None, fields: Mapping[str, object]) -> Event:
    event_type = registry.get(event_type.name)
    event_type.check_fields(fields)
    actor = current_actor()
    kind, identifier = subject or ("", "")
    return Event(
        event=event_type.name,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:_LABEL_LENGTH],
        ip=actor.ip,
        request_id=actor.request_id or "",
        subject_kind=kind,
        subject_id=str(identifier),
        data=fields,
    )


def actor_as_json() -> dict[str, str | None]:
    """Return the current actor as the value of the `actor` parameter of the database function `audit_record`."""
    actor = current_actor()
    return {
        "kind": actor.kind,
        "id": actor.id,
        "label": actor.label[:_LABEL_LENGTH],
        "ip": actor.ip,
        "request_id": actor.request_id or "",
    }

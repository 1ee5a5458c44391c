"""Functions that record events in the audit trail.

The actor, the request and the task of an event come from `tenants.context`.
"""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime
from queue import Full
from typing import Any

import structlog
from django.db import connection

from audit import events, registry
from audit.models import Event
from audit.recording.origin import actor_as_json, identifier
from audit.recording.separate import TEMPORARY_ERRORS, LostEvents, ProcessWriter
from audit.recording.values import add_salts, split_fields
from audit.registry import EventType
from hotelagent.core.ids import uuid7
from tenants.context import SYSTEM, actor_context

__all__ = ["actor_as_json", "record", "record_deletion", "record_in_own_transaction", "record_many"]

log = structlog.get_logger(__name__)

#: Maximum number of seconds that `record_in_own_transaction` waits for the commit on the second connection.
TIMEOUT_SECONDS = 1.0

# All rows are passed as one JSON parameter, because thousands of separate parameters would slow down imports.
_INSERT_MANY = """
INSERT INTO audit_event (
    event, version, severity, outcome, actor_kind, actor_id, initiator_kind, initiator_id, request_id, task_id,
    idempotency_key, id, subject_kind, subject_id, data, personal)
SELECT %(event)s, %(version)s, %(severity)s, %(outcome)s, %(actor_kind)s, %(actor_id)s, %(initiator_kind)s,
    %(initiator_id)s, %(request_id)s, %(task_id)s, %(idempotency_key)s,
    new.id, new.subject_kind, new.subject_id, new.data, new.personal
FROM json_to_recordset(%(rows)s) AS new (
    id uuid, subject_kind text, subject_id text, data jsonb, personal jsonb)
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
    """Record an event in a separate transaction, so that the event is kept if the caller's transaction is rolled back.

    Use this function for denials: a failed login, denied access or a conflict. The event is usually committed when this
    function returns. Inside a transaction, the writer thread of this process commits the event on a second connection.
    If that takes longer than TIMEOUT_SECONDS, or if the database is unavailable, the function returns, and the event is
    recorded later. Events that cannot be written are counted (`audit.recording.separate`). Raises other database
    errors.
    """
    event = _build_event(event_type, subject, fields)
    if not connection.in_atomic_block:
        try:
            event.save(force_insert=True)
        except TEMPORARY_ERRORS:
            log.warning("audit.recording_delayed", audit_event=event.event, exc_info=True)
            separate_writer.current().submit(event)
        return
    try:
        separate_writer.current().submit(event).result(TIMEOUT_SECONDS)
    except (FutureTimeoutError, Full, *TEMPORARY_ERRORS):
        log.warning("audit.recording_delayed", audit_event=event.event)


def _record_lost(lost: LostEvents) -> None:
    with actor_context(SYSTEM):
        record(
            events.EVENTS_LOST,
            number=lost.types.total(),
            since=lost.since,
            types=dict(sorted(lost.types.items())),
        )


separate_writer = ProcessWriter(_record_lost)


def record_many(event_type: EventType, rows: Iterable[tuple[Subject | None, Mapping[str, object]]]) -> int:
    """Record many events of one type with one statement in the caller's transaction. Return the number of events.

    Each element of `rows` describes one event: its subject and its fields. Use this function if the history of each
    subject must show the event. An operation on very many objects should record one event with a summary instead.
    """
    event_type = registry.get(event_type.name)
    origin = actor_as_json()
    new = [{"id": str(uuid7()), **_row(event_type, origin, subject, fields)} for subject, fields in rows]
    if new:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT_MANY, {**_columns(event_type, origin), "rows": json.dumps(new)})
    return len(new)


def record_deletion(*, kind: str, count: int, before: datetime) -> None:
    """Record the deletion of `count` old records, in the transaction that deletes the records.

    If `count` is 0, nothing is recorded. `kind` is a key of `audit.events.RECORD_KINDS`. Every deleted
    record ended before the time `before`.
    """
    if count:
        record(events.RECORDS_DELETED, kind=kind, count=count, before=before)


def _build_event(event_type: EventType, subject: Subject | None, fields: Mapping[str, object]) -> Event:
    event_type = registry.get(event_type.name)
    origin = actor_as_json()
    return Event(**_columns(event_type, origin), **_row(event_type, origin, subject, fields))


def _columns(event_type: EventType, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the columns that are equal for all events of one call: the event type and the actor."""
    initiator = origin.get("initiator", {})
    return {
        "event": event_type.name,
        "version": event_type.version,
        "severity": event_type.severity,
        "outcome": event_type.outcome,
        "actor_kind": origin["kind"],
        "actor_id": origin["id"],
        "initiator_kind": initiator.get("kind"),
        "initiator_id": initiator.get("id"),
        "request_id": origin["request_id"],
        "task_id": origin["task_id"],
        "idempotency_key": origin["idempotency_key"],
    }


def _row(
    event_type: EventType,
    origin: Mapping[str, Any],
    subject: Subject | None,
    fields: Mapping[str, object],
) -> dict[str, Any]:
    """Return the columns of an event that other events of the same call do not share. Raises InvalidEventFields."""
    data, personal = split_fields(event_type, fields)
    kind, subject_id = subject or ("", "")
    return {
        "subject_kind": kind,
        "subject_id": identifier(str(subject_id)),
        "data": data,
        "personal": add_salts({**origin["personal"], **personal}),
    }

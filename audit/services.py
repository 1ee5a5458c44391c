"""Writing to the trail. Who acts, from where and in which request comes from `tenants.context`."""

from collections.abc import Iterable, Mapping

from django.db import connection, connections, transaction
from django.db.models.sql import InsertQuery

from audit import registry
from audit.models import Event
from audit.registry import EventType
from tenants.context import current_actor

#: What an event is about: its kind, as in the API's addresses ("hold", "room"), and its id.
Subject = tuple[str, object]


def record(event: EventType, *, subject: Subject | None = None, **fields: object) -> Event:
    """Write one event in the caller's transaction: if that is rolled back, the event never happened.

    Raises UnknownEvent or WrongFields before anything is written.
    """
    row = _row(event, subject, fields)
    row.save(force_insert=True)
    return row


def record_apart(event: EventType, *, subject: Subject | None = None, **fields: object) -> None:
    """Write one event that stays whatever becomes of the caller's transaction; committed on return.

    For what was refused: a failed login, an access denied. Inside an open transaction this takes a second
    connection for the length of one insert, so call it after the transaction where you can.
    """
    row = _row(event, subject, fields)
    if not connection.in_atomic_block:
        row.save(force_insert=True)
        return
    # A copy and not an alias of its own: routers, and whoever looks at DATABASES, go on seeing one database.
    apart = connections.create_connection(connection.alias)
    try:
        columns = [field for field in Event._meta.concrete_fields if field.name != "at"]
        query = InsertQuery(Event)
        query.insert_values(columns, [row])
        query.get_compiler(connection=apart).execute_sql()
    finally:
        apart.close()


def record_many(event: EventType, rows: Iterable[tuple[Subject | None, Mapping[str, object]]]) -> int:
    """Write many events of one type, each `(subject, fields)`, in the caller's transaction; returns how many.

    For a change that people would look for on each thing it touched. An import of a whole file is one act:
    record one summary.
    """
    with transaction.atomic():
        return len(Event.objects.bulk_create([_row(event, *row) for row in rows], batch_size=1000))


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

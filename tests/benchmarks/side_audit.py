"""The functions of the benchmark `audit_events` that use the audit trail of hotelagent."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from uuid import UUID

from django.core.management import call_command
from django.db import connection, transaction

from audit.indexing.terms import Property, add_to_index, term
from audit.models import Event
from audit.reading.search import EventSearch
from audit.sealing import logs
from audit.sealing.models import Log
from audit.services import record
from hotelagent.core.ids import uuid7
from locks.events import HOLD_EXTENDED
from tenants import services
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel
from tests.benchmarks.side_audit_common import EVENTS_PER_HOLD, call_on_threads

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
USER_ID = uuid7()
PAGE = 50
#: The searches of the benchmark. Each search finds more events than fit on a page, in the small hotel too.
SEARCHES = {
    "actor": EventSearch(actor_id="user-7"),
    "event": EventSearch(events=["type.7"]),
    "request": EventSearch(request_id="request-7"),
}

# The events of a hotel that records an event every ten seconds. Request ids begin with the time, as in production.
_FILL = """
INSERT INTO audit_event (id, at, event, version, severity, outcome, actor_kind, actor_id, request_id, task_id,
    idempotency_key, subject_kind, subject_id, data, personal)
SELECT id, at, 'type.' || number %% 10, 1, 1, 1, 'user', 'user-' || number %% 10,
    CASE WHEN number %% (%(count)s / 100) = 0 THEN 'request-7' ELSE id::text END,
    '', '', 'room', 'room-' || number %% 300, '{"room": "101"}', NULL
FROM generate_series(1, %(count)s) AS number
CROSS JOIN LATERAL (SELECT now() - make_interval(secs => (%(count)s - number) * 10) AS at) AS times
CROSS JOIN LATERAL (
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000'
        || lpad(to_hex(number), 12, '0'))::uuid AS id
) AS ids
"""
#: Adds the entries that sealing would add to the search index.
_FILL_INDEX = """
INSERT INTO audit_search_term (term, period)
SELECT DISTINCT map.term, ('x' || left(id::text, 7))::bit(28)::integer
FROM audit_event JOIN unnest(%s::text[], %s::integer[]) AS map (value, term) ON map.value = {column}
ORDER BY 1, 2
"""
_INDEXED = {
    "event": (Property.EVENT_TYPE, [f"type.{number}" for number in range(10)]),
    "actor_id": (Property.PERSON, [f"user-{number}" for number in range(10)]),
    "subject_id": (Property.SUBJECT, [f"room-{number}" for number in range(300)]),
    "request_id": (Property.REQUEST, ["request-7"]),
}
#: The number of events that are added to the search index with one statement.
_INDEX_BATCH = 100


def prepare() -> None:
    call_command("migrate", verbosity=0)
    services.create_hotel(slug="bench", name="bench")


@cache
def _hotel(slug: str = "bench") -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug=slug)


def _actor() -> Actor:
    return Actor("user", str(USER_ID), "rosa", "192.0.2.7", str(uuid7()), user_agent=USER_AGENT)


def _record(hold: UUID | None = None) -> None:
    record(
        HOLD_EXTENDED,
        subject=("hold", hold or uuid7()),
        room="101",
        check_in="2030-05-01",
        check_out="2030-05-03",
        expires_at="2030-05-01T12:00:00Z",
        extensions_left=1,
    )


def record_events(count: int) -> float:
    """Record events in one open transaction. Return the seconds that the events took."""
    with hotel_context(_hotel()), actor_context(_actor()), transaction.atomic():
        _record()
        started = time.perf_counter()
        for _ in range(count):
            _record()
        seconds = time.perf_counter() - started
        transaction.set_rollback(True)
    return seconds


def write(writers: int, seconds: float) -> float:
    """Record events on several threads, each in its own transaction. Return the number of events per second."""
    return call_on_threads(_writer, threads=writers, seconds=seconds)


@contextmanager
def _writer(_number: int) -> Iterator[Callable[[], None]]:
    with hotel_context(_hotel()), actor_context(_actor()):
        Event.objects.exists()  # opens the database connection
        yield _record


def bytes_per_event(count: int) -> float:
    _add_to_index()  # so that the size includes no unindexed events of other benchmarks
    size, stored = _size_and_count()
    with hotel_context(_hotel()):
        for _ in range(count // EVENTS_PER_HOLD):
            hold = uuid7()
            for _ in range(EVENTS_PER_HOLD):
                with actor_context(_actor()):
                    _record(hold)
    _add_to_index()
    new_size, new_stored = _size_and_count()
    return (new_size - size) / (new_stored - stored)


def _add_to_index() -> None:
    """Add all events to the search index in small batches, as sealing does each minute."""
    with hotel_context(_hotel()):
        events = list(Event.objects.order_by("transaction"))
        for start in range(0, len(events), _INDEX_BATCH):
            add_to_index(events[start : start + _INDEX_BATCH])


def _size_and_count() -> tuple[int, int]:
    """Return the size of the events and of the search index in bytes, and the number of audit events."""
    with direct_connection(), hotel_context(_hotel()), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size('audit_event') + pg_total_relation_size('audit_search_term'), count(*) "
            "FROM audit_event"
        )
        size, count = cursor.fetchone()
    return size, count


def fill(few: int, many: int) -> None:
    """Insert events into two new hotels, and mark all of these events as sealed."""
    for slug, count in (("few", few), ("many", many)):
        services.create_hotel(slug=slug, name=slug)
        with direct_connection(), hotel_context(_hotel(slug)), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0;" + _FILL, {"count": count})
            for column, (name, values) in _INDEXED.items():
                terms = [term(name, value) for value in values]
                cursor.execute(_FILL_INDEX.format(column=column), [values, terms])
            _store_as_sealed(slug)
        with direct_connection(), hotel_context(_hotel(slug)), connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE audit_event, audit_search_term")


def _store_as_sealed(slug: str) -> None:
    """Mark all events as sealed, so that the next run of the sealer reads only newer events."""
    newest = Event.objects.order_by("-id")[0]
    log = logs.open_log(_hotel(slug).id)
    with platform_context():
        Log.objects.filter(pk=log.pk).update(size=1, sealed_transaction=newest.transaction + 1)


def page(slug: str, name: str) -> float:
    """Read the newest page of a search. Return the seconds that this took."""
    with hotel_context(_hotel(slug)):
        started = time.perf_counter()
        found = list(SEARCHES[name].apply(Event.objects.all())[:PAGE])
        seconds = time.perf_counter() - started
    if len(found) != PAGE:
        raise RuntimeError(f"The search by {name} found {len(found)} events.")
    return seconds

"""Tests of the search index: sealing adds index entries, and a search with the index finds each event exactly once."""

import datetime
import json
import re
import zlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import ProgrammingError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import Event, SearchTerm
from audit.reading.search import EventSearch, SearchTooBroad, object_timeline
from audit.registry import EventType, Outcome, Severity
from audit.services import record
from hotelagent.core.ids import first_uuid7_at, uuid7
from tenants.context import Actor, actor_context, hotel_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel
from tests.audit.sealing.trails import seal_trail

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/audit/"
DAY = datetime.timedelta(days=1)
MANY = 20_000
#: Inserts one event per minute. Few events match each filter.
_FILL = f"""
INSERT INTO audit_event (id, at, event, version, severity, outcome, actor_kind, actor_id, initiator_kind, initiator_id,
    request_id, task_id, idempotency_key, subject_kind, subject_id, data, personal)
SELECT (lpad(to_hex((extract(epoch FROM now() - make_interval(mins => number)) * 1000)::bigint), 12, '0')
        || '7000' || '8000' || lpad(to_hex(number), 12, '0'))::uuid,
    now() - make_interval(mins => number), 'type.' || number % 100, 1, CASE WHEN number % 500 = 0 THEN 3 ELSE 1 END,
    CASE WHEN number % 500 = 1 THEN 2 ELSE 1 END, 'user', 'user-' || number % 200,
    CASE WHEN number % 1000 = 2 THEN 'user' END, CASE WHEN number % 1000 = 2 THEN 'boss' END,
    'request-' || number / 3, 'task-' || number / 5, '', 'room', 'room-' || number % 300, '{{}}', NULL
FROM generate_series(1, {MANY}) AS number
"""
_READS_EVENTS = re.compile('^SELECT.* FROM "audit_event"|audit_search_term', re.DOTALL)
#: Pairs of a search and a filter. The filter finds the same events without the search index.
_SEARCHES: list[tuple[EventSearch, dict[str, Any]]] = [
    (EventSearch(actor_id="user-7"), {"actor_id": "user-7", "initiator_id": None}),
    (EventSearch(actor_id="boss"), {"initiator_id": "boss"}),
    (EventSearch(events=["type.7"]), {"event": "type.7"}),
    (EventSearch(events=["type.7", "type.8"]), {"event__in": ["type.7", "type.8"]}),
    (EventSearch(subject_id="room-7"), {"subject_id": "room-7"}),
    (EventSearch(request_id="request-7"), {"request_id": "request-7"}),
    (EventSearch(task_id="task-7"), {"task_id": "task-7"}),
    (EventSearch(outcome=Outcome.DENIED), {"outcome": Outcome.DENIED}),
    (EventSearch(severity=Severity.WARNING, actor_kind="user"), {"severity__gte": 3}),
    (EventSearch(events=["type.7"], subject_id="room-7"), {"event": "type.7", "subject_id": "room-7"}),
    (EventSearch(subject_id="room-999"), {"subject_id": "room-999"}),
]


@pytest.fixture
def many_events(hotel: Hotel) -> Iterator[None]:
    """Store events of two weeks in the trail of the hotel. All events except the newest are sealed."""
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute(_FILL)
    seal_trail(hotel.tenant)
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute(_FILL.replace(f"1, {MANY})", "0, 0)"))
        cursor.execute("ANALYZE audit_event; ANALYZE audit_search_term")
    with hotel_context(hotel):
        yield


def nodes_of_queries(queries: CaptureQueriesContext) -> list[dict[str, Any]]:
    """Return the plan nodes of the captured queries that read events or the search index."""
    nodes = []
    for query in [query["sql"] for query in queries if _READS_EVENTS.search(query["sql"])]:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT json) {query}")
            plan = cursor.fetchone()[0]
        plans = [(plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]]
        for node in plans:
            plans += node.get("Plans", [])
        nodes += plans
    return nodes


def test_search_by_each_filter_reads_only_index_entries_and_their_events(many_events: None) -> None:
    for search, conditions in _SEARCHES:
        events = search.apply(Event.objects.all())
        with CaptureQueriesContext(connection) as queries:
            found = [event.id for event in events[:51]]
        nodes = nodes_of_queries(queries)
        assert not [node for node in nodes if node["Node Type"] == "Seq Scan"], search
        indexes = {node["Index Name"] for node in nodes if "Index Name" in node}
        assert indexes == {"audit_event_pkey", "audit_search_term_pkey"}, search
        plain = Event.objects.filter(**conditions).order_by("-id")
        assert found == [event.id for event in plain[:51]], search
        assert list(events.order_by("id")[10:20]) == list(plain.order_by("id")[10:20]), search
        assert list(events) == list(plain), search


def test_search_misses_sealed_events_if_their_index_entries_are_missing(
    hotel: Hotel, many_events: None
) -> None:
    """A negative control: a search finds no sealed events if the entries are missing in the index."""
    search = EventSearch(subject_id="room-7")
    assert len(search.apply(Event.objects.all())[:51]) == 51
    with direct_connection(), hotel_context(hotel):
        SearchTerm.objects.all().delete()
    found = list(search.apply(Event.objects.all())[:51])
    assert len(found) < 2


def test_search_in_a_short_period_uses_the_primary_key(many_events: None) -> None:
    now = timezone.now()
    search = EventSearch(since=now - 3 * DAY, until=now - 2 * DAY, text="x")
    with CaptureQueriesContext(connection) as queries:
        list(search.apply(Event.objects.all())[:51])
    nodes = nodes_of_queries(queries)
    assert {node["Index Name"] for node in nodes if "Index Name" in node} == {"audit_event_pkey"}
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]


def test_pages_of_a_search_contain_each_event_once_in_both_directions(
    api: APIClient, hotel: Hotel, many_events: None
) -> None:
    with hotel_context(hotel):
        expected = [str(pk) for pk in Event.objects.filter(subject_id="room-7").values_list("id", flat=True)]
    forward: list[str] = []
    backward: list[str] = []
    url: str | None = f"{URL}?subject_id=room-7&page_size=10"
    while url:
        body = api.get(url).json()
        forward += [event["id"] for event in body["results"]]
        url = body["next"]
    url = body["previous"]
    while url:
        body = api.get(url).json()
        backward = [event["id"] for event in body["results"]] + backward
        url = body["previous"]
    assert forward == expected
    assert backward == expected[:60]
    assert len(expected) == 67


def test_unsealed_event_with_an_old_id_is_found_before_and_after_sealing(
    hotel: Hotel, lamp_lit: EventType, many_events: None
) -> None:
    """A writer whose clock is slow, or whose transaction was open for a long time, records an event with an old id."""
    search = EventSearch(subject_id="late")
    old_id = UUID(int=first_uuid7_at(timezone.now() - 2 * DAY).int | uuid7().int & 0xFFFF_FFFF)
    event = record(lamp_lit, subject=("lamp", "late"), colour="red")
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_event SET id = %s WHERE id = %s", [old_id, event.id])
        cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")
    assert [found.id for found in search.apply(Event.objects.all())[:51]] == [old_id]
    seal_trail(hotel.tenant)
    assert [found.id for found in search.apply(Event.objects.all())[:51]] == [old_id]


def test_trail_that_was_never_sealed_is_searched_completely(hotel: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(hotel):
        record(lamp_lit, subject=("lamp", 1), colour="red")
        assert not SearchTerm.objects.exists()
        assert [event.subject_id for event in EventSearch(subject_id="1").apply(Event.objects.all())] == ["1"]


@pytest.mark.parametrize(
    "search", [EventSearch(subject_id="1"), EventSearch(act=UUID(int=0), actor_id="user-7")]
)
def test_search_is_refused_if_events_of_more_than_a_month_are_not_sealed(
    hotel: Hotel, lamp_lit: EventType, search: EventSearch
) -> None:
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute(_FILL.replace("mins => number", "days => 32").replace(f"1, {MANY})", "1, 1)"))
    with hotel_context(hotel):
        with pytest.raises(SearchTooBroad, match="has not been sealed for more than 31 days"):
            search.apply(Event.objects.all())
        since = timezone.now() - 2 * DAY
        assert list(EventSearch(subject_id="1", since=since).apply(Event.objects.all())) == []


def test_request_id_with_the_time_of_the_event_needs_no_entry_in_the_index(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    """If a client sends a request id with a different time, the index needs an entry for the request id."""
    ours, forged = str(uuid7()), str(first_uuid7_at(timezone.now() - 30 * DAY))
    counts = []
    with hotel_context(hotel):
        for request_id in (ours, forged, "request-of-a-client"):
            with actor_context(Actor("user", "7", "ana", request_id=request_id)):
                record(lamp_lit, subject=("lamp", 1), colour="red")
            seal_trail(hotel.tenant)
            counts.append(SearchTerm.objects.count())
            events = EventSearch(request_id=request_id).apply(Event.objects.all())
            assert [event.request_id for event in events[:51]] == [request_id]
    # The first event adds index entries for its type, subject and person. Each other event adds only an entry for its
    # request.
    assert counts == [3, 4, 5]


def test_events_of_two_subjects_with_equal_hashes_are_not_confused(hotel: Hotel, lamp_lit: EventType) -> None:
    assert zlib.crc32(b"subject:plumless") == zlib.crc32(b"subject:buckeroo")
    with hotel_context(hotel):
        for subject in ("plumless", "buckeroo"):
            record(lamp_lit, subject=("lamp", subject), colour="red")
        seal_trail(hotel.tenant)
        for subject in ("plumless", "buckeroo"):
            found = EventSearch(subject_id=subject).apply(Event.objects.all())
            assert [event.subject_id for event in found[:51]] == [subject]


def test_list_of_events_in_the_admin_and_timelines_use_the_search_index(
    staff: Client, hotel: Hotel, many_events: None
) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = staff.get("/admin/audit/event/", {"subject_id": "room-7"}).content.decode()
    assert "type." in page
    # The admin also asks whether there is any event at all, with a sequential scan that ends after one row.
    nodes = [node for node in nodes_of_queries(queries) if "Filter" in node]
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]
    assert [query for query in queries if "audit_search_term" in query["sql"]]
    with CaptureQueriesContext(connection) as queries:
        list(object_timeline(hotel)[:50])
    assert [query for query in queries if "audit_search_term" in query["sql"]]


@pytest.mark.parametrize("statement", ["DELETE FROM", "TRUNCATE", "UPDATE"])
def test_role_of_a_hotel_cannot_hide_events_from_searches(hotel: Hotel, statement: str) -> None:
    change = " SET term = 0" if statement == "UPDATE" else ""
    with (
        hotel_context(hotel),
        connection.cursor() as cursor,
        pytest.raises(ProgrammingError, match="permission denied"),
    ):
        cursor.execute(f"{statement} audit_search_term{change}")

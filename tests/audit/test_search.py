"""Tests of the search for events: each filter uses an index, or the search is refused."""

import datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from audit import registry
from audit.models import Event
from audit.reading.search import EventSearch, SearchTooBroad
from audit.registry import Category, EventType, Outcome, Severity
from audit.services import record
from tenants.context import Actor, actor_context, hotel_context
from tenants.models import Hotel

URL = "/api/v1/audit/"
NOW = timezone.now()


@pytest.mark.django_db
def test_search_by_category_finds_the_events_whose_types_have_the_category(
    in_hotel: Hotel, lamp_lit: EventType
) -> None:
    opened = registry.register("lamp.opened", description="", category=Category.SECURITY)
    viewed = registry.register("lamp.viewed", description="", reads_personal_data=True)
    record(lamp_lit, colour="red")
    record(opened)
    record(viewed)
    lamps = Event.objects.filter(event__startswith="lamp.")

    def found(**conditions: Any) -> list[str]:
        return [event.event for event in EventSearch(**conditions).apply(lamps)]

    assert found(categories=["security"]) == ["lamp.opened"]
    assert found(categories=["data_change"]) == ["lamp.lit"]
    assert found(categories=["data_access"]) == ["lamp.viewed"]
    assert found(categories=["security", "data_access"]) == ["lamp.viewed", "lamp.opened"]
    assert found(categories=["security"], events=["lamp.opened"]) == ["lamp.opened"]
    assert [event.category for event in lamps.order_by("id")] == [
        "data_change",
        "security",
        "data_access",
    ]


@pytest.mark.django_db
def test_search_for_an_event_type_that_the_category_does_not_have_finds_nothing(
    in_hotel: Hotel, lamp_lit: EventType
) -> None:
    record(lamp_lit, colour="red")
    for conditions in ({"categories": ["security"]}, {"access": True}):
        search = EventSearch(events=["lamp.lit"], **conditions)
        assert list(search.apply(Event.objects.all())) == []
    assert len(EventSearch(events=["lamp.lit"]).apply(Event.objects.all())) == 1


@pytest.mark.django_db
def test_search_by_category_is_available_in_the_admin_and_in_the_rest_api(
    staff: Client, api: APIClient, hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel):
        record(lamp_lit, colour="red")
    assert "in red" in staff.get("/admin/audit/event/", {"category": "data_change"}).content.decode()
    assert "in red" not in staff.get("/admin/audit/event/", {"category": "security"}).content.decode()
    response = api.get(URL, {"category": "data_change", "event": "lamp.lit"}).json()
    assert [event["category"] for event in response["results"]] == ["data_change"]
    assert "lamp.lit" not in str(api.get(URL, {"category": ["security", "operation"]}).json())
    assert api.get(URL, {"category": "unknown"}).status_code == 400


@pytest.mark.parametrize(
    "search",
    [
        EventSearch(text="x"),
        EventSearch(text="x", categories=["data_change"]),
        EventSearch(actor_kind="user"),
        EventSearch(subject_kind="room"),
        EventSearch(severity=Severity.NOTICE),
        EventSearch(text="x", since=NOW - datetime.timedelta(days=32)),
        EventSearch(text="x", until=NOW),
        EventSearch(text="x", outcome=Outcome.SUCCESS),
    ],
)
def test_search_that_no_index_can_serve_is_refused(search: EventSearch) -> None:
    with pytest.raises(SearchTooBroad, match="at most 31 days"):
        search.apply(Event.objects.all())


@pytest.mark.django_db
def test_filter_by_actor_finds_the_events_of_tasks_that_the_actor_started(
    api: APIClient, hotel: Hotel, lamp_lit: EventType, as_ana: Actor
) -> None:
    with hotel_context(hotel):
        record(lamp_lit, subject=("lamp", 1), colour="red")
        with actor_context(Actor("task", "tests.task", "tests.task", task_id="t-1", initiator=as_ana)):
            record(lamp_lit, subject=("lamp", 2), colour="red")
        with actor_context(Actor("user", "8", "ben")):
            record(lamp_lit, subject=("lamp", 3), colour="red")
    assert [event["subject_id"] for event in api.get(URL, {"actor_id": as_ana.id}).json()["results"]] == [
        "2",
        "1",
    ]
    assert [event["subject_id"] for event in api.get(URL, {"task_id": "t-1"}).json()["results"]] == ["2"]


@pytest.mark.django_db
def test_text_filter_searches_values_but_not_salts_and_has_no_wildcards(
    api: APIClient, hotel: Hotel, guest_called: EventType, as_ana: Actor
) -> None:
    with hotel_context(hotel):
        for room, guest in (("101", "Ada Ñandú"), ("102", "50% off")):
            record(guest_called, room=room, guest=guest, reason="", pin="")
        personal = Event.objects.filter(event="guest.called")[0].personal
        assert personal
    found = {}
    for text in ("ñandú", "101", "0% o", "0_ o", personal["guest"]["salt"][:12]):
        body = api.get(URL, {"event": "guest.called", "text": text})
        assert body.status_code in {200, 400}
        found[text] = [event["data"]["room"] for event in body.json().get("results", [])]
    assert list(found.values()) == [["101"], ["101"], ["102"], [], []]


@pytest.mark.django_db(transaction=True)
def test_search_for_an_event_id_returns_all_events_of_the_same_request_or_task(
    api: APIClient, hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel):
        for number, actor in enumerate(
            [
                Actor("user", "7", "ana", request_id="request-1"),
                Actor("user", "7", "ana", request_id="request-1"),
                Actor("task", "tests.task", "tests.task", task_id="t-1"),
                Actor("task", "tests.task", "tests.task", task_id="t-1"),
            ]
        ):
            with actor_context(actor):
                record(lamp_lit, subject=("lamp", number), colour="red")
        events = {event.subject_id: str(event.id) for event in Event.objects.filter(event="lamp.lit")}
    for first, second in (("0", "1"), ("2", "3")):
        body = api.get(URL, {"act": events[first]}).json()
        assert [event["subject_id"] for event in body["results"]] == [second, first]
    assert api.get(URL, {"act": "01a22904-9ca5-7000-a56f-b14cd8c48f83"}).json()["results"] == []


@pytest.mark.django_db
def test_search_that_is_too_broad_is_refused_by_the_api_and_the_admin(
    api: APIClient, staff: Client, hotel: Hotel, lamp_lit: EventType
) -> None:
    refused = api.get(URL, {"text": "red"})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/search-too-broad")
    with hotel_context(hotel):
        record(lamp_lit, subject=("lamp", 1), colour="red")
    page = staff.get("/admin/audit/event/", {"text": "red"}).content.decode()
    assert "Add a period of at most 31 days" in page
    assert "lamp 1" not in page
    found = staff.get("/admin/audit/event/", {"text": "red", "subject_id": "1"}).content.decode()
    assert "lamp 1" in found
    assert "lamp 1" not in staff.get("/admin/audit/event/", {"outcome": "2"}).content.decode()


@pytest.mark.django_db
def test_reading_the_trail_is_recorded_once_per_hour_without_the_values_of_filters(
    api: APIClient, staff: Client, hotel: Hotel
) -> None:
    for subject in ("secret-1", "secret-2"):
        api.get(URL, {"subject_id": subject})
        staff.get("/admin/audit/event/", {"subject_id": subject})
    api.get(URL)
    with hotel_context(hotel):
        events = Event.objects.filter(event="audit.read")
        assert sorted((event.actor_kind, event.data["filters"]) for event in events) == [
            ("key", []), ("key", ["subject_id"]), ("user", ["subject_id"]),
        ]  # fmt: skip
        assert "secret" not in str(list(events.values()))
        api.get(f"{URL}{events[0].id}/")
        assert Event.objects.filter(event="audit.read", data__filters=["id"]).count() == 1

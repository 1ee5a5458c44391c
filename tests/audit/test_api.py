"""Tests of the audit trail in the REST API."""

import uuid

import pytest
from rest_framework.test import APIClient

from audit.registry import EventType
from audit.services import record
from tenants.access import api_keys
from tenants.context import Actor, hotel_context
from tenants.models import Hotel

URL = "/api/v1/audit/"


def subject_ids(body: dict[str, list[dict[str, str]]]) -> list[str]:
    return [event["subject_id"] for event in body["results"]]


@pytest.mark.django_db
def test_event_list_returns_the_newest_events_first_with_descriptions(
    api: APIClient, hotel: Hotel, lamp_lit: EventType, as_ana: Actor
) -> None:
    with hotel_context(hotel):
        for number in (1, 2):
            record(lamp_lit, subject=("lamp", number), colour="red")
    body = api.get(URL, {"event": "lamp.lit"}).json()
    assert subject_ids(body) == ["2", "1"]
    assert body["results"][0]["description"] == "ana lit lamp 2 in red"


@pytest.mark.django_db
def test_event_list_with_filters_returns_matching_events(
    api: APIClient, hotel: Hotel, lamp_lit: EventType, as_ana: Actor
) -> None:
    with hotel_context(hotel):
        first = record(lamp_lit, subject=("lamp", 1), colour="red")
        second = record(lamp_lit, subject=("lamp", 2), colour="red")
    for filters in (
        {"subject_kind": "lamp", "subject_id": "2"},
        {"actor_kind": "user", "actor_id": as_ana.id, "since": second.at.isoformat()},
    ):
        assert subject_ids(api.get(URL, filters).json()) == ["2"]
    assert subject_ids(api.get(URL, {"event": "lamp.lit", "until": second.at.isoformat()}).json()) == [
        first.subject_id
    ]
    assert subject_ids(api.get(URL, {"request_id": "request-1"}).json()) == ["2", "1"]


@pytest.mark.django_db
def test_event_list_filtered_by_an_unknown_event_type_returns_400(api: APIClient) -> None:
    response = api.get(URL, {"event": "never.registered"})
    assert response.status_code == 400
    assert response.json()["type"] == "/problems/invalid"


@pytest.mark.django_db
def test_event_list_without_the_required_scope_is_forbidden(hotel: Hotel) -> None:
    with hotel_context(hotel):
        _key, text = api_keys.create(name="rooms only", scopes=["rooms:read"])
    client = APIClient(SERVER_NAME="alpha.localhost")
    assert client.get(URL).status_code == 401
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    assert client.get(URL).status_code == 403


@pytest.mark.django_db
def test_event_list_excludes_events_of_other_hotels(
    api: APIClient, other_hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(other_hotel):
        record(lamp_lit, subject=("lamp", 1), colour="red")
    assert subject_ids(api.get(URL, {"event": "lamp.lit"}).json()) == []


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_events_cannot_be_written_through_the_api(
    api: APIClient, hotel: Hotel, lamp_lit: EventType, method: str
) -> None:
    with hotel_context(hotel):
        event = record(lamp_lit, colour="red")
    for url in (URL, f"{URL}{event.id}/"):
        assert getattr(api, method)(url, {}).status_code == 405


@pytest.mark.django_db
def test_event_detail_returns_the_event_or_404_for_an_unknown_id(
    api: APIClient, hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel):
        event = record(lamp_lit, colour="red")
    assert api.get(f"{URL}{event.id}/").json()["data"] == {"colour": "red"}
    assert api.get(f"{URL}{uuid.uuid4()}/").status_code == 404
    assert api.get(f"{URL}not-a-uuid/").status_code == 404

import uuid

import pytest
from rest_framework.test import APIClient

from audit.registry import EventType
from audit.services import record
from tenants.access import api_keys
from tenants.context import Actor, hotel_context
from tenants.models import Hotel

URL = "/api/v1/audit/"


def _about(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [event["subject_id"] for event in answer["results"]]


@pytest.mark.django_db
def test_it_lists_the_newest_first_with_a_sentence(
    api: APIClient, hotel: Hotel, lit: EventType, as_ana: Actor
) -> None:
    with hotel_context(hotel):
        for number in (1, 2):
            record(lit, subject=("lamp", number), colour="red")
    answer = api.get(URL, {"event": "lamp.lit"}).json()
    assert _about(answer) == ["2", "1"]
    assert answer["results"][0]["sentence"] == "ana lit lamp 2 in red"


@pytest.mark.django_db
def test_it_is_narrowed_by_event_actor_subject_and_time(
    api: APIClient, hotel: Hotel, lit: EventType, as_ana: Actor
) -> None:
    with hotel_context(hotel):
        first = record(lit, subject=("lamp", 1), colour="red")
        second = record(lit, subject=("lamp", 2), colour="red")
    for narrowed in (
        {"subject_kind": "lamp", "subject_id": "2"},
        {"actor_kind": "user", "actor_id": as_ana.id, "since": second.at.isoformat()},
    ):
        assert _about(api.get(URL, narrowed).json()) == ["2"]
    assert _about(api.get(URL, {"event": "lamp.lit", "until": second.at.isoformat()}).json()) == [
        first.subject_id
    ]
    assert _about(api.get(URL, {"request_id": "request-1"}).json()) == ["2", "1"]


@pytest.mark.django_db
def test_an_event_that_nobody_registered_is_a_mistake_and_not_an_empty_list(api: APIClient) -> None:
    answer = api.get(URL, {"event": "never.registered"})
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/invalid"


@pytest.mark.django_db
def test_it_needs_the_scope(hotel: Hotel) -> None:
    with hotel_context(hotel):
        _key, text = api_keys.create(name="rooms only", scopes=["rooms:read"])
    client = APIClient(SERVER_NAME="alpha.localhost")
    assert client.get(URL).status_code == 401
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    assert client.get(URL).status_code == 403


@pytest.mark.django_db
def test_it_shows_one_hotel_s_trail(api: APIClient, other_hotel: Hotel, lit: EventType) -> None:
    with hotel_context(other_hotel):
        record(lit, subject=("lamp", 1), colour="red")
    assert _about(api.get(URL, {"event": "lamp.lit"}).json()) == []


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_can_only_be_read(api: APIClient, hotel: Hotel, lit: EventType, method: str) -> None:
    with hotel_context(hotel):
        event = record(lit, colour="red")
    for url in (URL, f"{URL}{event.id}/"):
        assert getattr(api, method)(url, {}).status_code == 405


@pytest.mark.django_db
def test_one_event_can_be_read(api: APIClient, hotel: Hotel, lit: EventType) -> None:
    with hotel_context(hotel):
        event = record(lit, colour="red")
    assert api.get(f"{URL}{event.id}/").json()["data"] == {"colour": "red"}
    assert api.get(f"{URL}{uuid.uuid4()}/").status_code == 404
    assert api.get(f"{URL}not-a-uuid/").status_code == 404

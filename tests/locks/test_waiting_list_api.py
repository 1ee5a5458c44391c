"""Tests of the REST API of the waiting list."""

import uuid
from typing import Any

import pytest
from rest_framework.test import APIClient

from locks import services
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.conftest import ALPHA_HOST
from tests.locks.conftest import SomeNights
from tests.locks.helpers import run_due_tasks
from tests.locks.test_api import dates

pytestmark = pytest.mark.django_db

LIST = "/api/v1/waiting-list/"


@pytest.fixture
def other_api(hotel: Hotel) -> APIClient:
    with hotel_context(hotel):
        _, secret = api_keys.create(name="other", scopes=["locks:read", "locks:write"])
    client = APIClient(SERVER_NAME=ALPHA_HOST)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def create(client: APIClient, nights: SomeNights, **fields: Any) -> dict[str, Any]:
    response = client.post(LIST, {"room_type": "double", **dates(nights, 1), **fields})
    assert response.status_code == 201, response.json()
    entry: dict[str, Any] = response.json()
    return entry


def test_client_joins_the_waiting_list_claims_the_offer_and_confirms_the_hold(
    api: APIClient, other_api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    holds = [services.acquire_hold(rooms=[room], nights=nights(1)) for room in rooms]
    first = create(api, nights, reference="WEB-1", session="s1")
    second = create(other_api, nights)
    assert [(entry["status"], entry["position"]) for entry in (first, second)] == [
        ("waiting", 1),
        ("waiting", 2),
    ]
    before_offer = api.post(f"{LIST}{first['id']}/claim/")
    assert (before_offer.status_code, before_offer.json()["type"]) == (409, "/problems/no-open-offer")
    services.release_hold(holds[0].id, token=holds[0].token)
    run_due_tasks()
    offered = api.get(f"{LIST}{first['id']}/").json()
    assert (offered["status"], offered["position"]) == ("offered", None)
    assert api.get(f"/api/v1/locks/{offered['hold']}/").json()["status"] == "held"
    assert other_api.post(f"{LIST}{first['id']}/claim/").status_code == 404
    idempotency_key = {"Idempotency-Key": str(uuid.uuid4())}
    hold = api.post(f"{LIST}{first['id']}/claim/", headers=idempotency_key).json()
    assert api.post(f"{LIST}{first['id']}/claim/", headers=idempotency_key).json() == hold
    assert (hold["id"], hold["reference"], hold["extensions_left"]) == (offered["hold"], "WEB-1", 2)
    assert api.post(f"{LIST}{first['id']}/claim/").json()["type"] == "/problems/offer-already-claimed"
    tokens = {"token": hold["token"], "fencing_token": hold["fencing_token"]}
    assert api.post(f"/api/v1/locks/{hold['id']}/confirm/", tokens).json()["status"] == "confirmed"


def test_clients_see_and_cancel_only_their_own_waiting_list_entries(
    api: APIClient, other_api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    for room in rooms:
        services.acquire_hold(rooms=[room], nights=nights(1))
    mine, theirs = create(api, nights, session="s1"), create(other_api, nights)
    assert [entry["id"] for entry in api.get(LIST).json()["results"]] == [mine["id"]]
    assert api.get(f"{LIST}?status=offered").json()["results"] == []
    assert api.delete(f"{LIST}{theirs['id']}/").status_code == 404
    assert api.delete(f"{LIST}{mine['id']}/").status_code == 204
    assert api.get(f"{LIST}{mine['id']}/").json()["status"] == "cancelled"
    assert other_api.get(f"{LIST}{theirs['id']}/").json()["position"] == 1


@pytest.mark.parametrize(
    "body", [{}, {"room": 1, "room_type": "double"}, {"room_type": "double", "guest_name": "Ada"}]
)
def test_create_with_a_missing_ambiguous_or_unknown_field_returns_400(
    api: APIClient, rooms: list[int], nights: SomeNights, body: dict[str, Any]
) -> None:
    assert api.post(LIST, {**dates(nights, 1), **body}).status_code == 400

"""Tests of conditional requests (RFC 9110, section 13) for the resources that REST clients edit."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from locks import services
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel

pytestmark = pytest.mark.django_db
RESERVATION = "/api/v1/reservations/by-external-id/R1/"
BODY = {"arrival": "2036-01-01", "departure": "2036-01-02", "guest_name": "Ana Lima"}


@pytest.fixture
def room(hotel: Hotel) -> str:
    """Return the URL of a room."""
    with hotel_context(hotel):
        services.ensure_rooms({"double": 1})
        [room_id] = services.ensure_rooms({})["double"]
    return f"/api/v1/rooms/{room_id}/"


@pytest.fixture
def platform_api(db: None) -> APIClient:
    """Return a REST API client for the platform. The client's API key may change hotels."""
    with platform_context():
        _key, secret = api_keys.create(name="platform", scopes=["hotels:read", "hotels:write"])
    client = APIClient(SERVER_NAME="localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def put(api: APIClient, **headers: str) -> Any:
    return api.put(
        RESERVATION, BODY, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize("template", ["{}", "W/{}", '"x", {}', "*"])
def test_get_with_the_current_etag_returns_304_without_a_body(
    api: APIClient, room: str, template: str
) -> None:
    put(api)
    for url in (RESERVATION, room, "/api/v1/reservations.ics"):
        etag = api.get(url)["ETag"]
        response = api.get(url, headers={"If-None-Match": template.format(etag)})
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", etag)
        assert api.get(url, headers={"If-None-Match": '"another"'}).status_code == 200


def test_response_304_is_not_recorded_as_a_read_of_the_reservation(api: APIClient) -> None:
    etag = put(api)["ETag"]
    read = "/api/v1/audit/?event=personal_data.read"
    before = len(api.get(read).json()["results"])
    assert api.get(RESERVATION, headers={"If-None-Match": etag}).status_code == 304
    assert len(api.get(read).json()["results"]) == before
    assert api.get(RESERVATION).status_code == 200
    assert len(api.get(read).json()["results"]) == before + 1


def test_put_with_if_none_match_creates_a_reservation_and_overwrites_none(api: APIClient) -> None:
    assert put(api, If_None_Match="*").status_code == 201
    refused = put(api, If_None_Match="*")
    assert (refused.status_code, refused.json()["type"]) == (412, "/problems/reservation-conflict")


def test_put_with_if_match_accepts_a_list_and_refuses_weak_etags(api: APIClient) -> None:
    assert put(api, If_Match="*").status_code == 412
    etag = put(api)["ETag"]
    assert put(api, If_Match=f'"old", {etag}').status_code == 200
    assert put(api, If_Match="*").status_code == 200
    assert put(api, If_Match=f"W/{etag}").status_code == 412


def test_precondition_without_quotation_marks_is_a_bad_request(api: APIClient, room: str) -> None:
    for response in (put(api, If_Match="3f2a"), api.patch(room, {"floor": 2}, headers={"If-Match": "3f2a"})):
        assert (response.status_code, response.json()["type"]) == (400, "/problems/bad-request")
        assert "If-Match" in response.json()["detail"]


def test_patch_of_a_room_with_an_old_etag_changes_nothing(api: APIClient, room: str) -> None:
    first = api.get(room)["ETag"]
    second = api.patch(room, {"floor": 2}, headers={"If-Match": first})
    assert (second.status_code, second["ETag"]) == (200, api.get(room)["ETag"])
    refused = api.patch(room, {"floor": 3}, headers={"If-Match": first})
    assert (refused.status_code, refused.json()["type"]) == (412, "/problems/precondition-failed")
    assert api.get(room).json()["floor"] == 2
    assert api.patch(room, {"floor": 3}).status_code == 200


def test_patch_and_delete_of_a_webhook_with_an_outdated_etag_return_412(api: APIClient) -> None:
    created = api.post("/api/v1/webhooks/", {"url": "https://example.com/hook", "events": ["hold.created"]})
    url = f"/api/v1/webhooks/{created.json()['id']}/"
    outdated, current = {"If-Match": '"old"'}, {"If-Match": api.get(url)["ETag"]}
    assert api.patch(url, {"active": False}, headers=outdated).status_code == 412
    assert api.delete(url, headers=outdated).status_code == 412
    assert api.get(url).json()["active"] is True
    assert api.delete(url, headers=current).status_code == 204


def test_renaming_a_hotel_with_an_outdated_etag_changes_nothing(
    platform_api: APIClient, hotel: Hotel
) -> None:
    url = f"/api/v1/hotels/{hotel.pk}/"
    etag = platform_api.get(url)["ETag"]
    refused = platform_api.patch(url, {"slug": "beta"}, headers={"If-Match": '"old"'})
    assert (refused.status_code, platform_api.get(url).json()["slug"]) == (412, "alpha")
    renamed = platform_api.patch(url, {"slug": "gamma"}, headers={"If-Match": etag})
    assert (renamed.status_code, renamed.json()["slug"]) == (200, "gamma")

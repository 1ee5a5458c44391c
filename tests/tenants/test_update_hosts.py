"""Tests of the REST endpoints of the platform that change the hosts and the status of a hotel."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.reading.search import object_timeline
from tenants import host_routing, services
from tenants.access import api_keys
from tenants.context import platform_context
from tenants.models import Hotel

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform_api() -> APIClient:
    client = APIClient(SERVER_NAME="localhost")
    with platform_context():
        _, secret = api_keys.create(name="tests", scopes=["hotels:read", "hotels:write"])
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def patch(client: APIClient, hotel: Hotel, **body: Any) -> Any:
    return client.patch(f"/api/v1/hotels/{hotel.id}/", body)


def test_patch_with_a_slug_and_domains_replaces_both(platform_api: APIClient, hotel: Hotel) -> None:
    services.add_domain(hotel_id=hotel.id, host="old.example")
    services.add_domain(hotel_id=hotel.id, host="kept.example")
    response = patch(platform_api, hotel, slug="Renamed", domains=["KEPT.example", "new.example"])
    assert response.status_code == 200
    assert response.json()["slug"] == "renamed"
    assert response.json()["domains"] == ["kept.example", "new.example"]
    for host, is_known in {
        "renamed.localhost": True, "alpha.localhost": False,
        "kept.example": True, "new.example": True, "old.example": False,
    }.items():  # fmt: skip
        assert (host_routing.resolve(host) is not None) is is_known
    with platform_context():
        assert {"hotel.renamed", "hotel.domain_added", "hotel.domain_removed"} <= {
            event.event for event in object_timeline(hotel)
        }


def test_patch_of_a_hotel_keeps_values_missing_in_the_request(platform_api: APIClient, hotel: Hotel) -> None:
    services.add_domain(hotel_id=hotel.id, host="kept.example")
    assert patch(platform_api, hotel, slug="renamed").json()["domains"] == ["kept.example"]
    assert patch(platform_api, hotel, domains=[]).json()["slug"] == "renamed"
    assert patch(platform_api, hotel).status_code == 200
    assert host_routing.resolve("kept.example") is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"slug": "beta", "domains": ["new.example"]}, (409, "/problems/slug-conflict")),
        (
            {"slug": "renamed", "domains": ["new.example", "taken.example"]},
            (409, "/problems/domain-conflict"),
        ),
        ({"slug": "BETA"}, (409, "/problems/slug-conflict")),
        ({"slug": "admin"}, (422, "/problems/invalid-slug")),
        ({"slug": 'a"b'}, (422, "/problems/invalid-slug")),
        ({"domains": ["new.example", "evil.localhost"]}, (422, "/problems/invalid-domain")),
        ({"slug": "a" * 41}, (400, "/problems/invalid")),
        ({"schema": "hotel_beta"}, (400, "/problems/invalid")),
    ],
)
def test_patch_of_a_hotel_with_an_invalid_value_changes_nothing(
    platform_api: APIClient, hotel: Hotel, other_hotel: Hotel, body: Any, expected: tuple[int, str]
) -> None:
    services.add_domain(hotel_id=other_hotel.id, host="taken.example")
    response = patch(platform_api, hotel, **body)
    assert (response.status_code, response.json()["type"]) == expected
    assert host_routing.resolve("alpha.localhost") == hotel.tenant
    assert host_routing.resolve("renamed.localhost") is None
    assert host_routing.resolve("new.example") is None


def test_resuming_an_active_hotel_returns_409_with_the_status_of_the_hotel(
    platform_api: APIClient, hotel: Hotel
) -> None:
    problem = platform_api.post(f"/api/v1/hotels/{hotel.id}/resume/").json()
    assert (problem["status"], problem["hotel_status"]) == (409, "active")


def test_patch_request_to_the_hotels_host_returns_404(api: APIClient, hotel: Hotel) -> None:
    assert patch(api, hotel, slug="renamed").status_code == 404

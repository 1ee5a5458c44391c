"""Tests that the response to each request that creates a resource names the URL of the new resource."""

from typing import Any

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

STAY = {"arrival": "2031-07-01", "departure": "2031-07-03", "guest_name": "Ana Lima"}


@pytest.fixture
def room(api: APIClient) -> int:
    created = api.post("/api/v1/rooms/", {"number": "101", "room_type": "A"})
    assert api.get(created["Location"]).json() == created.json()
    found: int = created.json()["id"]
    return found


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("locks/", {"check_in": "2031-07-01", "check_out": "2031-07-02", "room_type": "A"}),
        ("locks/close/", {"check_in": "2031-07-01", "check_out": "2031-07-02", "reason": "paint"}),
        ("waiting-list/", {"check_in": "2031-07-01", "check_out": "2031-07-02", "room_type": "A"}),
        ("webhooks/", {"url": "https://client.example/hook", "events": ["hold.created"]}),
        ("calendars/", {"name": "Airbnb", "url": "https://channel.example/1.ics"}),
        (
            "dlq/entries/",
            {
                "name": "booking.created",
                "payload": {"booking": 1},
                "error_type": "Timeout",
                "error_message": "The PMS is slow.",
            },
        ),
        ("dlq/redrives/", {"action": "retry", "selection": {"name": "booking.created"}, "dry_run": False}),
    ],
)
def test_created_resource_is_found_at_the_url_in_the_location_header(
    api: APIClient, room: int, path: str, body: dict[str, Any]
) -> None:
    if path in {"locks/close/", "calendars/"}:
        body = body | {"room": room}
    created = api.post(f"/api/v1/{path}", body)
    assert created.status_code == 201, created.content
    assert created["Location"].startswith("http://alpha.localhost/api/v1/")
    assert api.get(created["Location"]).json()["id"] == created.json()["id"]


def test_put_returns_the_header_location_only_for_a_new_reservation(api: APIClient) -> None:
    created = api.put("/api/v1/reservations/by-external-id/R1/", STAY)
    assert created.status_code == 201
    assert api.get(created["Location"]).json() == created.json()
    updated = api.put("/api/v1/reservations/by-external-id/R1/", STAY | {"adults": 2})
    assert (updated.status_code, "Location" in updated) == (200, False)


def test_repeated_request_returns_the_location_of_the_first_response(api: APIClient, room: int) -> None:
    body = {"check_in": "2031-07-01", "check_out": "2031-07-02", "rooms": [room]}
    first, second = (
        api.post("/api/v1/locks/", body, headers={"Idempotency-Key": "the-same-key"}) for _ in range(2)
    )
    assert second["Idempotency-Replayed"] == "true"
    assert first["Location"] == second["Location"]

"""Tests of the compression of responses with gzip, and of the responses that are never compressed."""

import gzip
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

GZIP = {"Accept-Encoding": "br, gzip"}


@pytest.fixture
def reservations(api: APIClient) -> None:
    body = {"arrival": "2031-07-01", "departure": "2031-07-04", "guest_name": "Ana Lima"}
    for number in range(20):
        api.put(f"/api/v1/reservations/by-external-id/R{number}/", body)


def is_compressed(response: Any) -> bool:
    return bool(response.headers.get("Content-Encoding") == "gzip")


@pytest.mark.usefixtures("reservations")
def test_list_is_compressed_for_a_client_that_accepts_gzip(api: APIClient) -> None:
    url = "/api/v1/reservations/"
    plain = api.get(url)
    compressed = api.get(url, headers=GZIP)
    assert not is_compressed(plain)
    assert is_compressed(compressed)
    assert gzip.decompress(compressed.content) == plain.content
    assert len(compressed.content) < len(plain.content) / 4
    assert compressed["Content-Length"] == str(len(compressed.content))
    assert plain["Vary"] == compressed["Vary"]
    assert "Accept-Encoding" in plain["Vary"]


@pytest.mark.usefixtures("reservations")
@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "br, gzip; q=0.0"])
def test_list_is_not_compressed_for_a_client_that_does_not_accept_gzip(api: APIClient, accepted: str) -> None:
    assert not is_compressed(api.get("/api/v1/reservations/", headers={"Accept-Encoding": accepted}))


@pytest.mark.usefixtures("reservations")
def test_csv_export_is_compressed_while_it_is_sent(api: APIClient) -> None:
    plain = api.get("/api/v1/reservations/export/").getvalue()
    compressed = api.get("/api/v1/reservations/export/", headers=GZIP)
    assert is_compressed(compressed)
    assert gzip.decompress(compressed.getvalue()) == plain


def test_editable_resource_is_not_compressed_and_so_keeps_its_strong_etag(api: APIClient) -> None:
    url = "/api/v1/reservations/by-external-id/R1/"
    body = {
        "arrival": "2031-07-01",
        "departure": "2031-07-04",
        "guest_name": "Ana Lima",
        "guest_email": "ana@example.com",
    }
    api.put(url, body)
    response = api.get(url, headers=GZIP)
    assert len(response.content) > 200  # Django never compresses shorter responses
    assert not is_compressed(response)
    assert response["ETag"].startswith('"')
    assert (
        api.put(url, body | {"adults": 2}, headers={**GZIP, "If-Match": response["ETag"]}).status_code == 200
    )


def test_calendar_feed_keeps_its_strong_etag(api: APIClient) -> None:
    for number in range(5):
        room = api.post("/api/v1/rooms/", {"number": str(number), "room_type": "A"}).json()["id"]
        nights = {"check_in": "2031-07-01", "check_out": "2031-07-02", "reason": "paint"}
        api.post("/api/v1/locks/close/", {"room": room, **nights})
    feed = api.get("/api/v1/reservations.ics", headers=GZIP)
    assert len(feed.content) > 200  # Django never compresses shorter responses
    assert not is_compressed(feed)
    for tag in (feed["ETag"], f"W/{feed['ETag']}"):
        again = api.get("/api/v1/reservations.ics", headers={**GZIP, "If-None-Match": tag})
        assert again.status_code == 304


@pytest.mark.usefixtures("reservations")
def test_responses_to_browsers_and_responses_with_secrets_are_not_compressed(
    api: APIClient, staff: Client
) -> None:
    """The size of a compressed response could reveal a secret to an attacker who chooses a part of it (BREACH)."""
    page = staff.get("/admin/", headers=GZIP)
    assert page.status_code == 200
    assert not is_compressed(page)
    in_session = staff.get("/api/v1/reservations/", headers=GZIP)
    assert in_session.status_code == 200
    assert not is_compressed(in_session)
    room = api.post("/api/v1/rooms/", {"number": "101", "room_type": "A"}, headers=GZIP).json()["id"]
    nights = {"check_in": "2031-07-01", "check_out": "2031-07-04"}
    hold = api.post("/api/v1/locks/", {**nights, "rooms": [room]}, headers=GZIP)
    assert hold.json()["token"]
    assert len(hold.content) > 200
    assert not is_compressed(hold)


def test_openapi_schema_is_compressed(client: Client, hotel: Any) -> None:
    assert is_compressed(client.get("/api/schema/", headers={**GZIP, "Host": "alpha.localhost"}))

"""Tests of the REST API for reservations and reminders."""

from typing import Any

import jsonschema
import pytest
from rest_framework.test import APIClient

from reminders.models import Reminder, Reservation
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
URL = "/api/v1/reservations/by-external-id/WEB%2F1/"
BODY = {
    "arrival": "2030-05-10",
    "departure": "2030-05-12",
    "guest_name": "Ana Lima",
    "guest_email": "ana@example.com",
}


@pytest.fixture(autouse=True)
def _now(clock: Clock) -> None:
    clock("2030-05-01 12:00")


def put(api: APIClient, **changes: Any) -> Any:
    return api.put(URL, {**BODY, **changes})


def test_put_creates_or_updates_a_reservation_and_get_returns_it(api: APIClient, hotel: Hotel) -> None:
    assert put(api).status_code == 201
    assert put(api).status_code == 200
    changed = put(api, adults=3)
    assert (changed.status_code, changed.json()["adults"], changed.json()["nights"]) == (200, 3, 2)
    assert api.get(URL).json()["external_id"] == "WEB/1"
    with hotel_context(hotel):
        assert Reservation.objects.count() == 1


def test_put_with_an_invalid_value_returns_an_error_that_names_the_field(api: APIClient) -> None:
    for change, pointer in (
        ({"departure": "2030-05-10"}, "/departure"),
        ({"adults": 0}, "/adults"),
        ({"guest_email": "nobody"}, "/guest_email"),
        ({"guest_name": "A" * 10_000}, "/guest_name"),
        ({"arrival": "tomorrow"}, "/arrival"),
        ({"status": "gone"}, "/status"),
    ):
        response = put(api, **change)
        assert response.status_code in {400, 422}, response.json()
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_reservation_list_returns_the_reservations_that_match_the_filters(api: APIClient) -> None:
    put(api)
    assert len(api.get("/api/v1/reservations/?arrival_from=2030-05-10&status=booked").json()["results"]) == 1
    assert api.get("/api/v1/reservations/?arrival_from=2030-05-11").json()["results"] == []
    assert (
        api.get("/api/v1/reservations/by-external-id/none/").json()["type"].endswith("/reservation-not-found")
    )


def test_cancelling_a_reservation_cancels_its_reminders(api: APIClient) -> None:
    url = f"/api/v1/reservations/{put(api).json()['id']}"
    reminders = api.get(f"{url}/reminders/").json()
    assert [reminder["status"] for reminder in reminders] == ["scheduled", "scheduled"]
    assert [reminder["planned_for"] for reminder in reminders] == [
        "2030-05-03T09:00:00Z",
        "2030-05-09T09:00:00Z",
    ]
    assert api.post(f"{url}/cancel/").json()["status"] == "cancelled"
    assert {reminder["status"] for reminder in api.get(f"{url}/reminders/").json()} == {"cancelled"}


def test_cancelling_a_reservation_after_check_out_returns_a_state_error(api: APIClient) -> None:
    reservation = put(api, status="checked_out").json()
    response = api.post(f"/api/v1/reservations/{reservation['id']}/cancel/")
    assert (response.status_code, response.json()["type"]) == (409, "/problems/reservation-state-error")
    assert "can't be cancelled" in response.json()["detail"]
    assert api.get(URL).json()["status"] == "checked_out"
    # The hotel's property management system may set any status of a reservation.
    assert put(api, status="cancelled").json()["status"] == "cancelled"


def test_reminders_can_be_listed_cancelled_sent_and_settled_through_the_api(
    api: APIClient, hotel: Hotel
) -> None:
    put(api)
    listed = api.get("/api/v1/reminders/?status=scheduled").json()["results"]
    assert len(listed) == 2
    url = f"/api/v1/reminders/{listed[0]['id']}"
    assert api.post(f"{url}/cancel/").json()["status"] == "cancelled"
    response = api.post(f"{url}/cancel/")
    assert (response.status_code, response.json()["type"].rpartition("/")[2]) == (409, "reminder-state-error")
    response = api.post(f"{url}/send-now/")
    assert (response.status_code, response.json()["status"]) == (202, "scheduled")
    with hotel_context(hotel):
        Reminder.objects.filter(id=listed[1]["id"]).update(status="unknown")
    response = api.post(f"/api/v1/reminders/{listed[1]['id']}/settle/", {"was_sent": True})
    assert response.json()["status"] == "sent"


def test_responses_for_reservations_and_reminders_match_the_openapi_schema(api: APIClient) -> None:
    schema = api.get("/api/schema/?format=json").json()
    bodies = {
        "Reservation": put(api).json(),
        "Reminder": api.get("/api/v1/reminders/").json()["results"][0],
    }
    for name, body in bodies.items():
        jsonschema.validate(body, {"$ref": f"#/components/schemas/{name}", **schema})
    assert (bodies["Reservation"]["rooms"], bodies["Reminder"]["skip_reason"]) == ([], "")


def test_request_without_the_required_scope_is_forbidden(api: APIClient, hotel: Hotel) -> None:
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="reader", scopes=["reservations:read"])
    reader = APIClient(SERVER_NAME="alpha.localhost")
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert reader.get("/api/v1/reservations/").status_code == 200
    assert put(reader).status_code == 403
    assert reader.get("/api/v1/reminders/").status_code == 403

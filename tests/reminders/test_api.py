"""The REST door: reservations by the hotel system's own number, reminders and what can be done about them."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from rest_framework.test import APIClient

from reminders.models import Reminder, Reservation
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/reservations/by-external-id/WEB%2F1/"
BODY = {
    "arrival": "2030-05-10",
    "departure": "2030-05-12",
    "guest_name": "Ana Lima",
    "guest_email": "ana@example.com",
}


@pytest.fixture(autouse=True)
def _may(clock: Clock) -> None:
    clock("2030-05-01 12:00")


def put(api: APIClient, **changes: Any) -> Any:
    return api.put(ADDRESS, {**BODY, **changes})


def test_it_stores_changes_and_reads_by_the_hotels_number(api: APIClient, hotel: Hotel) -> None:
    assert put(api).status_code == 201
    assert put(api).status_code == 200
    changed = put(api, adults=3)
    assert (changed.status_code, changed.json()["adults"], changed.json()["nights"]) == (200, 3, 2)
    assert api.get(ADDRESS).json()["external_id"] == "WEB/1"
    with hotel_context(hotel):
        assert Reservation.objects.count() == 1


def test_it_names_what_is_wrong(api: APIClient) -> None:
    for change, pointer in (
        ({"departure": "2030-05-10"}, "/departure"),
        ({"adults": 0}, "/adults"),
        ({"guest_email": "nobody"}, "/guest_email"),
        ({"guest_name": "A" * 10_000}, "/guest_name"),
        ({"arrival": "tomorrow"}, "/arrival"),
        ({"status": "gone"}, "/status"),
    ):
        answer = put(api, **change)
        assert answer.status_code in {400, 422}, answer.json()
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_it_lists_and_filters(api: APIClient) -> None:
    put(api)
    assert len(api.get("/api/v1/reservations/?arrival_from=2030-05-10&status=booked").json()["results"]) == 1
    assert api.get("/api/v1/reservations/?arrival_from=2030-05-11").json()["results"] == []
    assert (
        api.get("/api/v1/reservations/by-external-id/none/").json()["type"].endswith("/reservation-not-found")
    )


def test_cancelling_takes_the_reminders_along(api: APIClient) -> None:
    address = f"/api/v1/reservations/{put(api).json()['id']}"
    reminders = api.get(f"{address}/reminders/").json()
    assert [reminder["status"] for reminder in reminders] == ["scheduled", "scheduled"]
    assert [reminder["planned_for"] for reminder in reminders] == [
        "2030-05-03T09:00:00Z",
        "2030-05-09T09:00:00Z",
    ]
    assert api.post(f"{address}/cancel/").json()["status"] == "cancelled"
    assert {reminder["status"] for reminder in api.get(f"{address}/reminders/").json()} == {"cancelled"}


def test_a_stay_that_is_over_is_not_cancelled(api: APIClient) -> None:
    made = put(api, status="checked_out").json()
    refused = api.post(f"/api/v1/reservations/{made['id']}/cancel/")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/reservation-state-error")
    assert "can't be cancelled" in refused.json()["detail"]
    assert api.get(ADDRESS).json()["status"] == "checked_out"
    assert (
        put(api, status="cancelled").json()["status"] == "cancelled"
    )  # the hotel's own system has the last word


def test_reminders_are_listed_cancelled_and_sent_now(api: APIClient, hotel: Hotel) -> None:
    put(api)
    listed = api.get("/api/v1/reminders/?status=scheduled").json()["results"]
    assert len(listed) == 2
    address = f"/api/v1/reminders/{listed[0]['id']}"
    assert api.post(f"{address}/cancel/").json()["status"] == "cancelled"
    refused = api.post(f"{address}/cancel/")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "reminder-state-error")
    now = api.post(f"{address}/send-now/")
    assert (now.status_code, now.json()["status"]) == (202, "scheduled")
    with hotel_context(hotel):
        Reminder.objects.filter(id=listed[1]["id"]).update(status="unknown")
    settled = api.post(f"/api/v1/reminders/{listed[1]['id']}/settle/", {"was_sent": True})
    assert settled.json()["status"] == "sent"


def test_what_it_answers_is_what_its_description_says(api: APIClient) -> None:
    description = api.get("/api/schema/?format=json").json()
    answers = {
        "Reservation": put(api).json(),
        "Reminder": api.get("/api/v1/reminders/").json()["results"][0],
    }
    for name, answer in answers.items():
        jsonschema.validate(answer, {"$ref": f"#/components/schemas/{name}", **description})
    assert (answers["Reservation"]["room"], answers["Reminder"]["skip_reason"]) == (None, "")


def test_it_asks_for_scopes(api: APIClient, hotel: Hotel) -> None:
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="reader", scopes=["reservations:read"])
    reader = APIClient(SERVER_NAME="alpha.localhost")
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert reader.get("/api/v1/reservations/").status_code == 200
    assert put(reader).status_code == 403
    assert reader.get("/api/v1/reminders/").status_code == 403

"""Tests of a whole booking over the REST API: hold, reservation and stay."""

import datetime
import json
import re
from typing import Any

import pytest
from rest_framework.test import APIClient

from hotelagent.rest.documentation import guide
from locks import selectors, services
from locks.models import Allocation
from tenants.context import hotel_context
from tenants.models import Hotel

pytestmark = pytest.mark.django_db
LOCKS = "/api/v1/locks/"
GUEST = {"guest_name": "Ana Lima", "guest_email": "ana@example.com"}


@pytest.fixture
def rooms(hotel: Hotel) -> list[int]:
    """Return the ids of three double rooms, 101 to 103."""
    with hotel_context(hotel):
        services.ensure_rooms({"double": 3})
        return services.ensure_rooms({})["double"]


@pytest.fixture
def dates(hotel: Hotel) -> dict[str, str]:
    """Return the arrival and departure dates of a stay of two nights that begins tomorrow."""
    with hotel_context(hotel):
        arrival = selectors.today() + datetime.timedelta(days=1)
    return {"arrival": arrival.isoformat(), "departure": (arrival + datetime.timedelta(days=2)).isoformat()}


def acquire(api: APIClient, dates: dict[str, str], *rooms: int) -> dict[str, Any]:
    """Hold the rooms. Return the id and the tokens of the hold, which a request for a reservation must contain."""
    nights = {"check_in": dates["arrival"], "check_out": dates["departure"]}
    hold = api.post(LOCKS, {**nights, "rooms": list(rooms)}).json()
    return {name: hold[name] for name in ("id", "token", "fencing_token")}


def put(api: APIClient, number: str, body: dict[str, Any]) -> Any:
    return api.put(f"/api/v1/reservations/by-external-id/{number}/", {**GUEST, **body})


def free_rooms(api: APIClient, dates: dict[str, str]) -> list[str]:
    url = f"/api/v1/availability/?check_in={dates['arrival']}&check_out={dates['departure']}"
    return [room["number"] for room in api.get(url).json()["rooms"]]


def statuses(hotel: Hotel) -> list[str]:
    with hotel_context(hotel):
        return list(Allocation.objects.order_by("id").values_list("status", flat=True))


def test_examples_in_the_documentation_can_book_and_cancel_a_room(
    api: APIClient, hotel: Hotel, rooms: list[int]
) -> None:
    new_hold, booking = (
        json.loads(example) for example in re.findall(r"with `(\{.*?\})`", guide._HOTEL, re.DOTALL)[:2]
    )
    with hotel_context(hotel):
        tomorrow = selectors.today() + datetime.timedelta(days=1)
    check_out = tomorrow + datetime.timedelta(days=3)
    hold = api.post(
        LOCKS, {**new_hold, "check_in": tomorrow, "check_out": check_out, "rooms": rooms[:1]}
    ).json()
    assert hold["status"] == "held"
    reference = {name: hold[name] for name in booking["hold"]}
    stored = api.put(
        "/api/v1/reservations/by-external-id/WEB-1042/",
        {**booking, "arrival": tomorrow, "departure": check_out, "hold": reference},
    )
    assert (stored.status_code, stored.json()["rooms"]) == (201, ["101"])
    assert statuses(hotel) == ["confirmed"]
    cancelled = api.post(f"/api/v1/reservations/{stored.json()['id']}/cancel/")
    assert (cancelled.json()["status"], cancelled.json()["rooms"]) == ("cancelled", [])
    assert statuses(hotel) == ["cancelled"]


def test_reservation_with_a_confirmed_hold_gets_the_stay(
    api: APIClient, rooms: list[int], dates: dict[str, str]
) -> None:
    hold = acquire(api, dates, rooms[0])
    api.post(f"{LOCKS}{hold['id']}/confirm/", {name: hold[name] for name in ("token", "fencing_token")})
    assert put(api, "A1", {**dates, "hold": hold}).json()["rooms"] == ["101"]


def test_reservation_that_was_created_without_a_hold_gets_the_rooms_of_a_later_hold(
    api: APIClient, rooms: list[int], dates: dict[str, str]
) -> None:
    first = put(api, "A1", dates)
    hold = acquire(api, dates, rooms[0])
    second = put(api, "A1", {**dates, "hold": hold})
    assert (first.json()["rooms"], second.json()["rooms"], second.status_code) == ([], ["101"], 200)
    assert first.headers["ETag"] != second.headers["ETag"]


def test_repeated_request_with_a_hold_changes_nothing(
    api: APIClient, hotel: Hotel, rooms: list[int], dates: dict[str, str]
) -> None:
    for number, held in (("A1", rooms[:1]), ("A2", rooms[1:])):
        body = {**dates, "hold": acquire(api, dates, *held)}
        first, second = put(api, number, body), put(api, number, body)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.headers["ETag"] == second.headers["ETag"]
    assert statuses(hotel) == ["confirmed"] * 3


def test_cancelled_reservation_of_several_rooms_frees_all_rooms(
    api: APIClient, rooms: list[int], dates: dict[str, str]
) -> None:
    stored = put(api, "A1", {**dates, "hold": acquire(api, dates, *rooms[:2])}).json()
    assert (stored["rooms"], free_rooms(api, dates)) == (["101", "102"], ["103"])
    api.post(f"/api/v1/reservations/{stored['id']}/cancel/")
    assert free_rooms(api, dates) == ["101", "102", "103"]


def test_stay_moves_when_the_dates_of_the_reservation_change(
    api: APIClient, rooms: list[int], dates: dict[str, str]
) -> None:
    put(api, "A1", {**dates, "hold": acquire(api, dates, rooms[0])})
    departure = datetime.date.fromisoformat(dates["departure"]) + datetime.timedelta(days=1)
    later = {"arrival": dates["departure"], "departure": departure.isoformat()}
    assert put(api, "A1", later).json()["rooms"] == ["101"]
    assert (free_rooms(api, dates), free_rooms(api, later)) == (["101", "102", "103"], ["102", "103"])


def test_second_hold_replaces_the_stay_of_the_reservation(
    api: APIClient, hotel: Hotel, rooms: list[int], dates: dict[str, str]
) -> None:
    put(api, "A1", {**dates, "hold": acquire(api, dates, rooms[0])})
    assert put(api, "A1", {**dates, "hold": acquire(api, dates, rooms[1])}).json()["rooms"] == ["102"]
    assert statuses(hotel) == ["cancelled", "confirmed"]


def test_refused_booking_creates_no_reservation_and_does_not_confirm_the_hold(
    api: APIClient, hotel: Hotel, rooms: list[int], dates: dict[str, str]
) -> None:
    hold = acquire(api, dates, rooms[0])
    departure = datetime.date.fromisoformat(dates["departure"]) + datetime.timedelta(days=1)
    for change, status, problem in (
        ({"hold": {**hold, "token": "wrong"}}, 403, "invalid-hold-token"),
        ({"hold": {**hold, "fencing_token": 0}}, 409, "stale-fencing-token"),
        ({"hold": hold, "departure": departure.isoformat()}, 422, "invalid-reservation"),
        ({"hold": hold, "status": "cancelled"}, 422, "invalid-reservation"),
    ):
        response = put(api, "A1", {**dates, **change})
        assert (response.status_code, response.json()["type"].rpartition("/")[2]) == (status, problem)
        assert statuses(hotel) == ["held"]
    assert api.get("/api/v1/reservations/by-external-id/A1/").status_code == 404


def test_stay_of_another_reservation_is_refused(
    api: APIClient, rooms: list[int], dates: dict[str, str]
) -> None:
    hold = acquire(api, dates, rooms[0])
    put(api, "A1", {**dates, "hold": hold})
    response = put(api, "A2", {**dates, "hold": hold})
    assert (response.status_code, response.json()["type"].rpartition("/")[2]) == (409, "stay-conflict")
    assert "A1" in response.json()["detail"]


def test_cancelled_reservation_does_not_free_a_stay_that_is_not_linked_to_it(
    api: APIClient, rooms: list[int], dates: dict[str, str]
) -> None:
    """Without the field `hold`, a reservation and a stay are not linked, even if room and dates are equal."""
    hold = acquire(api, dates, rooms[0])
    api.post(f"{LOCKS}{hold['id']}/confirm/", {name: hold[name] for name in ("token", "fencing_token")})
    stored = put(api, "A1", dates).json()
    api.post(f"/api/v1/reservations/{stored['id']}/cancel/")
    assert free_rooms(api, dates) == ["102", "103"]

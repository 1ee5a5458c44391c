"""Tests of the REST API of rooms, availability and holds."""

import uuid
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from locks import services
from locks.models import Allocation, Room
from tests.locks.conftest import SomeNights
from tests.locks.helpers import events_of, expire

pytestmark = pytest.mark.django_db

LOCKS = "/api/v1/locks/"


def dates(nights: SomeNights, start: int, count: int = 1) -> dict[str, str]:
    period = nights(start, count)
    return {"check_in": period.check_in.isoformat(), "check_out": period.check_out.isoformat()}


def test_request_to_hold_an_occupied_room_returns_409_with_the_occupied_nights(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    created = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 3, 3)})
    assert created.status_code == 201, created.json()
    assert created.json()["status"] == "held"
    assert created.json()["rooms"][0]["number"] == "101"
    conflict = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 5, 3)})
    assert conflict.status_code == 409
    problem = conflict.json()
    assert problem["type"] == "/problems/room-unavailable"
    assert [clash["nights"] for clash in problem["clashes"]] == [[nights(5).check_in.isoformat()]]
    assert [clash["kind"] for clash in problem["clashes"]] == ["hold"]
    assert "holder" not in str(problem)


@pytest.mark.django_db(transaction=True)
def test_refusal_of_a_hold_is_recorded_although_the_transaction_is_rolled_back(
    api: APIClient, rooms: list[int], nights: SomeNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.services.TIMEOUT_SECONDS", 30)  # a busy machine may need more time
    body = {"rooms": rooms[:1], **dates(nights, 3, 3)}
    api.post(LOCKS, body)
    assert api.post(LOCKS, body, headers={"Idempotency-Key": str(uuid.uuid4())}).status_code == 409
    event = events_of("hold.refused")[-1]  # other tests may have left events in the database
    assert event.data["reason"] == "room-unavailable"


def test_group_hold_can_be_extended_and_confirmed_but_not_released_after_the_confirmation(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    hold = api.post(LOCKS, {"room_type": "double", "count": 2, **dates(nights, 1)}).json()
    token = {"token": hold["token"]}
    extended = api.post(f"{LOCKS}{hold['id']}/extend/", token)
    assert (extended.status_code, extended.json()["extensions_left"]) == (200, 1)
    assert api.post(f"{LOCKS}{hold['id']}/extend/", {"token": "x"}).status_code == 403
    tokens = {**token, "fencing_token": hold["fencing_token"]}
    stale = api.post(f"{LOCKS}{hold['id']}/confirm/", {**token, "fencing_token": hold["fencing_token"] - 1})
    assert stale.json()["type"] == "/problems/stale-fencing-token"
    confirmed = api.post(f"{LOCKS}{hold['id']}/confirm/", tokens)
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    assert api.post(f"{LOCKS}{hold['id']}/confirm/", tokens).json() == confirmed.json()
    assert len(api.get(f"{LOCKS}{hold['id']}/").json()["rooms"]) == 2
    assert api.post(f"{LOCKS}{hold['id']}/release/", token).status_code == 409


def test_token_of_a_hold_is_returned_only_when_the_hold_is_created(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    hold = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}).json()
    assert hold["token"] not in api.get(LOCKS).content.decode()
    assert hold["token"] not in api.get(f"{LOCKS}{hold['id']}/").content.decode()


def test_create_with_the_same_idempotency_key_returns_the_same_hold(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}, headers=key)
    again = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}, headers=key)
    assert again.json() == first.json()
    assert Allocation.objects.count() == 1
    other = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 2)}, headers=key)
    assert other.status_code == 422


def test_expired_hold_returns_410_to_its_owner_and_is_listed_as_expired(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    hold = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}).json()
    expire(uuid.UUID(hold["id"]))
    assert api.post(f"{LOCKS}{hold['id']}/extend/", {"token": hold["token"]}).status_code == 410
    assert [row["id"] for row in api.get(LOCKS, {"status": "expired"}).json()["results"]] == [hold["id"]]
    assert api.get(LOCKS, {"status": "held"}).json()["results"] == []


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({"check_in": "2031-05-02", "check_out": "2031-05-02"}, 422, "invalid-date-range"),
        ({"check_in": "2031-05-02", "check_out": "2031-05-01"}, 422, "invalid-date-range"),
        ({"check_in": "2031-05-01", "check_out": "2041-05-01"}, 422, "invalid-date-range"),
        ({"check_in": "2020-05-01", "check_out": "2020-05-02"}, 422, "invalid-check-in"),
        ({"check_in": "2031-05-01", "check_out": "2031-05-02", "rooms": [99999]}, 404, "room-not-found"),
        ({"check_in": "2031-05-01", "check_out": "2031-05-02", "room_type": "x"}, 400, "invalid"),
        ({"check_in": "soon", "check_out": "2031-05-02"}, 400, "invalid"),
        ({"check_in": "2031-05-01", "check_out": "2031-05-02", "rooms": []}, 400, "invalid"),
    ],
)
def test_invalid_value_in_a_hold_request_returns_a_specific_problem_type(
    api: APIClient, rooms: list[int], body: dict[str, Any], status: int, problem: str
) -> None:
    response = api.post(LOCKS, {"rooms": rooms[:1], **body})
    assert (response.status_code, response.json()["type"]) == (status, f"/problems/{problem}")


def test_unknown_field_in_a_hold_request_is_named_in_the_response(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    response = api.post(LOCKS, {"room": rooms[0], "chek_in": "2031-05-01", **dates(nights, 3)})
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert error["pointer"] == "/chek_in"
    assert "check_in" in error["detail"]


def test_availability_returns_free_rooms_and_counts_per_type(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    services.ensure_rooms({"double": 3, "suite": 1})
    services.acquire_hold(rooms=rooms[:2], nights=nights(1, 2))
    availability = api.get("/api/v1/availability/", dates(nights, 2)).json()
    assert availability["types"] == [
        {"room_type": "double", "rooms": 3, "free": 1},
        {"room_type": "suite", "rooms": 1, "free": 1},
    ]
    assert [room["number"] for room in availability["rooms"]] == ["103", "104"]
    assert len(api.get("/api/v1/availability/", {**dates(nights, 3), "type": "double"}).json()["rooms"]) == 3
    assert api.get("/api/v1/availability/", {**dates(nights, 3), "adults": "3"}).json()["rooms"] == []


def test_rooms_can_be_created_listed_and_updated(api: APIClient, rooms: list[int]) -> None:
    created = api.post("/api/v1/rooms/", {"number": "7A", "room_type": "suite", "floor": 7, "capacity": 4})
    assert created.status_code == 201, created.json()
    assert api.post("/api/v1/rooms/", {"number": "7A", "room_type": "x"}).status_code == 409
    address = f"/api/v1/rooms/{created.json()['id']}/"
    assert api.patch(address, {"capacity": 5}).json()["capacity"] == 5
    assert api.patch(address, {"number": "101"}).status_code == 409
    assert Room.objects.get(number="7A").capacity == 5
    listed = api.get("/api/v1/rooms/", {"room_type": "suite"}).json()["results"]
    assert [room["number"] for room in listed] == ["7A"]


def test_staff_can_move_and_force_release_a_hold_but_api_keys_cannot(
    api: APIClient, staff: Client, rooms: list[int], nights: SomeNights
) -> None:
    hold = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}).json()
    force = f"{LOCKS}{hold['id']}/force-release/"
    move = f"{LOCKS}{hold['id']}/move/"
    target = {"room": rooms[1], **dates(nights, 2)}
    assert api.post(force, {"reason": "mine now"}).status_code == 403
    assert api.post(move, target).status_code == 403
    moved = staff.post(move, target, content_type="application/json")
    assert (moved.status_code, moved.json()["rooms"][0]["number"]) == (200, "102")
    released = staff.post(force, {"reason": "guest called"}, content_type="application/json")
    assert (released.status_code, released.json()["status"]) == (200, "released")


def test_staff_extend_their_own_hold_without_a_token(
    staff: Client, rooms: list[int], nights: SomeNights
) -> None:
    hold = staff.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}, content_type="application/json").json()
    extended = staff.post(f"{LOCKS}{hold['id']}/extend/", {}, content_type="application/json")
    assert extended.json()["extensions_left"] == 1


def test_room_can_be_closed_and_reopened(api: APIClient, rooms: list[int], nights: SomeNights) -> None:
    body = {"room": rooms[0], "reason": "paint", **dates(nights, 0, 300)}
    closed = api.post(f"{LOCKS}close/", body)
    assert (closed.status_code, closed.json()["status"]) == (201, "closed")
    conflict = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 5)}).json()
    assert conflict["clashes"][0]["kind"] == "closure"
    assert api.post(f"{LOCKS}{closed.json()['id']}/reopen/").status_code == 200
    assert api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 5)}).status_code == 201

"""Rooms and holds over REST."""

import uuid
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from locks import services
from locks.models import Allocation, Room
from tests.locks.conftest import SomeNights
from tests.locks.helpers import events_of, lapse

pytestmark = pytest.mark.django_db

LOCKS = "/api/v1/locks/"


def dates(nights: SomeNights, start: int, count: int = 1) -> dict[str, str]:
    some = nights(start, count)
    return {"check_in": some.check_in.isoformat(), "check_out": some.check_out.isoformat()}


def test_a_room_is_held_and_the_second_is_told_which_nights_clash(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    made = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 3, 3)})
    assert made.status_code == 201, made.json()
    assert made.json()["status"] == "held"
    assert made.json()["rooms"][0]["number"] == "101"
    refused = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 5, 3)})
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["type"] == "/problems/room-unavailable"
    assert [clash["nights"] for clash in problem["clashes"]] == [[nights(5).check_in.isoformat()]]
    assert [clash["kind"] for clash in problem["clashes"]] == ["hold"]
    assert "holder" not in str(problem)


@pytest.mark.django_db(transaction=True)
def test_a_refusal_stays_in_the_trail_though_the_request_is_undone(
    api: APIClient, rooms: list[int], nights: SomeNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.services.PATIENCE_SECONDS", 30)  # the machine may be busy
    body = {"rooms": rooms[:1], **dates(nights, 3, 3)}
    api.post(LOCKS, body)
    assert api.post(LOCKS, body, headers={"Idempotency-Key": str(uuid.uuid4())}).status_code == 409
    [event] = events_of("hold.refused")
    assert event.data["why"] == "room-unavailable"


def test_the_life_of_a_hold(api: APIClient, rooms: list[int], nights: SomeNights) -> None:
    hold = api.post(LOCKS, {"room_type": "double", "count": 2, **dates(nights, 1)}).json()
    own = {"token": hold["token"]}
    extended = api.post(f"{LOCKS}{hold['id']}/extend/", own)
    assert (extended.status_code, extended.json()["extensions_left"]) == (200, 1)
    assert api.post(f"{LOCKS}{hold['id']}/extend/", {"token": "x"}).status_code == 403
    fencing_token = {**own, "fencing_token": hold["fencing_token"]}
    stale = api.post(f"{LOCKS}{hold['id']}/confirm/", {**own, "fencing_token": hold["fencing_token"] - 1})
    assert stale.json()["type"] == "/problems/stale-fencing-token"
    confirmed = api.post(f"{LOCKS}{hold['id']}/confirm/", fencing_token)
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    assert api.post(f"{LOCKS}{hold['id']}/confirm/", fencing_token).json() == confirmed.json()
    assert len(api.get(f"{LOCKS}{hold['id']}/").json()["rooms"]) == 2
    assert api.post(f"{LOCKS}{hold['id']}/release/", own).status_code == 409


def test_no_answer_but_the_first_has_the_token(api: APIClient, rooms: list[int], nights: SomeNights) -> None:
    hold = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}).json()
    assert hold["token"] not in api.get(LOCKS).content.decode()
    assert hold["token"] not in api.get(f"{LOCKS}{hold['id']}/").content.decode()


def test_the_same_idempotency_key_gives_the_same_hold(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}, headers=key)
    again = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}, headers=key)
    assert again.json() == first.json()
    assert Allocation.objects.count() == 1
    other = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 2)}, headers=key)
    assert other.status_code == 422


def test_an_expired_hold_is_gone_for_its_owner_and_listed_as_expired(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    hold = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}).json()
    lapse(uuid.UUID(hold["id"]))
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
def test_what_is_wrong_is_said(
    api: APIClient, rooms: list[int], body: dict[str, Any], status: int, problem: str
) -> None:
    answer = api.post(LOCKS, {"rooms": rooms[:1], **body})
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")


def test_a_name_that_it_does_not_know_is_told_and_not_passed_over(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    answer = api.post(LOCKS, {"room": rooms[0], "chek_in": "2031-05-01", **dates(nights, 3)})
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["pointer"] == "/chek_in"
    assert "check_in" in error["detail"]


def test_availability_counts_what_is_free(api: APIClient, rooms: list[int], nights: SomeNights) -> None:
    services.ensure_rooms({"double": 3, "suite": 1})
    services.acquire_hold(rooms=rooms[:2], nights=nights(1, 2))
    found = api.get("/api/v1/availability/", dates(nights, 2)).json()
    assert found["types"] == [
        {"room_type": "double", "rooms": 3, "free": 1},
        {"room_type": "suite", "rooms": 1, "free": 1},
    ]
    assert [room["number"] for room in found["rooms"]] == ["103", "104"]
    assert len(api.get("/api/v1/availability/", {**dates(nights, 3), "type": "double"}).json()["rooms"]) == 3
    assert api.get("/api/v1/availability/", {**dates(nights, 3), "adults": "3"}).json()["rooms"] == []


def test_rooms_are_made_listed_and_changed(api: APIClient, rooms: list[int]) -> None:
    made = api.post("/api/v1/rooms/", {"number": "7A", "room_type": "suite", "floor": 7, "capacity": 4})
    assert made.status_code == 201, made.json()
    assert api.post("/api/v1/rooms/", {"number": "7A", "room_type": "x"}).status_code == 409
    address = f"/api/v1/rooms/{made.json()['id']}/"
    assert api.patch(address, {"capacity": 5}).json()["capacity"] == 5
    assert api.patch(address, {"number": "101"}).status_code == 409
    assert Room.objects.get(number="7A").capacity == 5
    listed = api.get("/api/v1/rooms/", {"room_type": "suite"}).json()["results"]
    assert [room["number"] for room in listed] == ["7A"]


def test_a_key_may_not_decide_over_anothers_hold_and_staff_may(
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
    ended = staff.post(force, {"reason": "guest called"}, content_type="application/json")
    assert (ended.status_code, ended.json()["status"]) == (200, "released")


def test_staff_own_what_they_hold(staff: Client, rooms: list[int], nights: SomeNights) -> None:
    hold = staff.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 1)}, content_type="application/json").json()
    extended = staff.post(f"{LOCKS}{hold['id']}/extend/", {}, content_type="application/json")
    assert extended.json()["extensions_left"] == 1


def test_a_room_goes_out_of_service_and_comes_back(
    api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    body = {"room": rooms[0], "reason": "paint", **dates(nights, 0, 300)}
    closed = api.post(f"{LOCKS}out-of-service/", body)
    assert (closed.status_code, closed.json()["status"]) == (201, "closed")
    refused = api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 5)}).json()
    assert refused["clashes"][0]["kind"] == "closure"
    assert api.post(f"{LOCKS}{closed.json()['id']}/back-in-service/").status_code == 200
    assert api.post(LOCKS, {"rooms": rooms[:1], **dates(nights, 5)}).status_code == 201

"""Tests of the REST API of the PMS."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from hotelagent.pms.values import StaySearch
from reminders.models import Reservation
from tests.pms.conftest import FakeQloApps

pytestmark = pytest.mark.django_db
Search = Callable[..., StaySearch]
BOOKINGS = "/api/v1/pms/bookings/"


def body_of(search: StaySearch, **changes: Any) -> dict[str, Any]:
    nights = {"check_in": str(search.nights.check_in), "check_out": str(search.nights.check_out)}
    return {
        "room_type": "double",
        "adults": 2,
        "guest": {"name": "Ana Reyes", "email": "a@example.com"},
        **nights,
    } | changes


def put(api: APIClient, id_: uuid.UUID, body: dict[str, Any]) -> Any:
    return api.put(f"{BOOKINGS}{id_}/", body, format="json")


def test_offers_have_a_price_and_their_age(api: APIClient, qloapps: FakeQloApps, search: Search) -> None:
    nights = search().nights
    response = api.get(
        "/api/v1/pms/offers/", {"check_in": str(nights.check_in), "check_out": str(nights.check_out)}
    )
    assert response.status_code == 200, response.json()
    document = response.json()
    assert document["stale"] is False
    assert document["offers"][0] == {
        "room_type": "double",
        "free_rooms": 3,
        "price": {"amount": "200.00", "currency": "EUR"},
        "taxes_included": True,
    }


def test_repeated_booking_request_books_once(api: APIClient, qloapps: FakeQloApps, search: Search) -> None:
    id_ = uuid.uuid4()
    first, second = (put(api, id_, body_of(search())) for _request in range(2))
    assert (first.status_code, second.status_code) == (201, 200), first.json()
    assert first.json() == second.json()
    assert len(qloapps.bookings) == 1
    assert Reservation.objects.count() == 1


def test_booking_with_an_unknown_outcome_returns_202_and_can_be_retrieved(
    api: APIClient, qloapps: FakeQloApps, search: Search
) -> None:
    qloapps.set(booking_faults=["cut"])
    id_ = uuid.uuid4()
    response = put(api, id_, body_of(search()))
    assert (response.status_code, response.json()["status"]) == (202, "unknown")
    assert api.get(f"{BOOKINGS}{id_}/").json()["error"]


def test_booking_at_a_price_that_has_changed_returns_409_with_the_new_price(
    api: APIClient, qloapps: FakeQloApps, search: Search
) -> None:
    price = {"amount": "150.00", "currency": "EUR"}
    response = put(api, uuid.uuid4(), body_of(search(), price=price))
    assert response.status_code == 409
    assert response.json()["type"].endswith("/problems/price-changed")
    assert response.json()["price"] == "200.00 EUR"


def test_booking_can_be_cancelled(api: APIClient, qloapps: FakeQloApps, search: Search) -> None:
    id_ = uuid.uuid4()
    put(api, id_, body_of(search()))
    response = api.delete(f"{BOOKINGS}{id_}/")
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert qloapps.active_bookings == []
    assert api.delete(f"{BOOKINGS}{uuid.uuid4()}/").status_code == 404


def test_booking_while_the_pms_is_unavailable_returns_503_and_books_nothing(
    api: APIClient, qloapps: FakeQloApps, search: Search
) -> None:
    qloapps.set(read_fault="503")
    api.raise_request_exception = False
    response = put(api, uuid.uuid4(), body_of(search(), price={"amount": "200.00", "currency": "EUR"}))
    assert response.status_code == 503
    assert (qloapps.bookings, Reservation.objects.count()) == ([], 0)


def test_rate_can_be_created_changed_and_deleted(api: APIClient, rooms: None) -> None:
    rate = {"room_type": "double", "first_night": "2031-06-01", "last_night": "2031-08-31", "price": "140.00"}
    created = api.post("/api/v1/pms/rates/", rate, format="json")
    assert created.status_code == 201, created.json()
    url = created["Location"]
    changed = api.patch(url, {"price": "150.00"}, format="json", headers={"If-Match": created["ETag"]})
    assert (changed.status_code, changed.json()["price"]) == (200, "150.00")
    assert (
        api.patch(url, {"price": "1.00"}, format="json", headers={"If-Match": created["ETag"]}).status_code
        == 412
    )
    wrong = api.patch(url, {"last_night": "2031-05-01"}, format="json")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/last_night")
    assert api.delete(url).status_code == 204


def test_reported_change_discards_the_cached_offers(
    api: APIClient, qloapps: FakeQloApps, search: Search
) -> None:
    nights = search().nights
    query = {"check_in": str(nights.check_in), "check_out": str(nights.check_out)}
    api.get("/api/v1/pms/offers/", query)
    assert api.post("/api/v1/pms/changes/").status_code == 202
    api.get("/api/v1/pms/offers/", query)
    assert qloapps.searches == 2

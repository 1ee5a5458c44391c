"""Tests of storing reservations through the REST API: versions (ETag), validation, and normalization of input."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.db.transaction import get_connection
from rest_framework.test import APIClient

from reminders.models import Reminder, Reservation
from tenants.context import hotel_context
from tenants.models import DueItem, Hotel
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
BODY = {
    "arrival": "2030-05-10",
    "departure": "2030-05-12",
    "guest_name": "Ana Lima",
    "guest_email": "ana@example.com",
}
Put = Callable[..., Any]


def url(number: str = "R1") -> str:
    return f"/api/v1/reservations/by-external-id/{quote(number, safe='')}/"


@pytest.fixture
def put(api: APIClient, clock: Clock) -> Put:
    """Return a function that stores a reservation with a PUT request and returns the response.

    Example: put("R1", if_match='"..."', adults=3).
    """
    clock("2030-05-01 12:00")

    def send(number: str = "R1", *, if_match: str | None = None, **changes: Any) -> Any:
        headers = {} if if_match is None else {"If-Match": if_match}
        return api.put(url(number), {**BODY, **changes}, headers=headers)

    return send


def test_etag_of_a_reservation_is_the_same_until_the_reservation_changes(put: Put, api: APIClient) -> None:
    created = put()
    assert created["ETag"] == api.get(url())["ETag"] == put()["ETag"]
    assert api.get(f"/api/v1/reservations/{created.json()['id']}/")["ETag"] == created["ETag"]


@pytest.mark.django_db(transaction=True)
def test_put_of_a_reservation_with_an_old_etag_returns_a_conflict(put: Put, hotel: Hotel) -> None:
    assert not get_connection().in_atomic_block
    first = put()["ETag"]
    second = put(if_match=first, adults=3)
    assert (second.status_code, second.json()["adults"]) == (200, 3)
    assert second["ETag"] != first
    response = put(if_match=first, guest_name="Eva Sol")
    assert (response.status_code, response.json()["type"]) == (412, "/problems/reservation-conflict")
    assert put(if_match=second["ETag"], guest_name="Eva Sol").json()["guest_name"] == "Eva Sol"
    with hotel_context(hotel):
        assert Reservation.objects.get().adults == 1  # fields that the request omits get their default values


def test_put_with_if_match_for_an_unknown_reservation_returns_412(put: Put, hotel: Hotel) -> None:
    for etag in ("*", '"20300501T120000.000000"', '"nonsense"'):
        assert put(if_match=etag).status_code == 412
    with hotel_context(hotel):
        assert not Reservation.objects.exists()
    put()
    assert put(if_match="*", adults=2).status_code == 200
    assert put(if_match='"nonsense"', adults=4).status_code == 412


@pytest.mark.parametrize(
    ("changes", "scheduled"),
    [
        ({}, {"2030-05-03", "2030-05-09"}),
        ({"arrival": "2030-05-20", "departure": "2030-05-22"}, {"2030-05-13", "2030-05-19"}),
        ({"status": "cancelled"}, set()),
        ({"status": "no_show"}, set()),
        ({"guest_email": "eva@example.com", "language": "pt-BR"}, {"2030-05-03", "2030-05-09"}),
    ],
)
def test_put_of_a_changed_reservation_plans_its_reminders_again(
    put: Put, hotel: Hotel, changes: dict[str, str], scheduled: set[str]
) -> None:
    put()
    put(**changes)
    with hotel_context(hotel):
        planned = {f"{r.planned_for:%Y-%m-%d}": r.id for r in Reminder.objects.filter(status="scheduled")}
        assert planned.keys() == scheduled
        assert set(DueItem.objects.filter(kind="reminder").values_list("item_id", flat=True)) == set(
            planned.values()
        )


def test_put_of_a_reservation_is_rolled_back_if_planning_reminders_fails(
    put: Put, api: APIClient, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    put()

    def fail(**_kwargs: Any) -> None:
        raise RuntimeError("the due queue is not available")

    api.raise_request_exception = False
    monkeypatch.setattr("tenants.queue.due.schedule", fail)
    assert put(arrival="2030-05-20", departure="2030-05-22").status_code == 500
    assert put("R2").status_code == 500
    with hotel_context(hotel):
        assert f"{Reservation.objects.get().arrival}" == "2030-05-10"
        assert {f"{r.arrival}" for r in Reminder.objects.filter(status="scheduled")} == {"2030-05-10"}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"arrival": "2030-05-12", "departure": "2030-05-10"}, "/departure"),
        ({"departure": "2033-05-10"}, "/departure"),
        ({"arrival": "0001-01-01"}, "/arrival"),
        ({"arrival": "9999-12-30", "departure": "9999-12-31"}, "/arrival"),
        ({"arrival": "2030-02-30"}, "/arrival"),
        ({"language": "klingon"}, "/language"),
        ({"language": "e"}, "/language"),
        ({"adults": -1}, "/adults"),
        ({"adults": 40_000}, "/adults"),
        ({"children": "some"}, "/children"),
        ({"guest_email": "ana@"}, "/guest_email"),
        ({"guest_email": "ana@nowhere"}, "/guest_email"),
        ({"guest_email": "ana@example.com\r\nBcc: eva@example.com"}, "/guest_email"),
        ({"guest_name": ""}, "/guest_name"),
        ({"guest_name": "A" * 10_000}, "/guest_name"),
        ({"guest_name": "A\x00na"}, "/guest_name"),
        ({"guest_phone": "1" * 21}, "/guest_phone"),
        ({"status": "gone"}, "/status"),
        ({"guestname": "Ana"}, "/guestname"),
    ],
)
def test_put_with_an_invalid_value_returns_a_pointer_to_the_field(
    put: Put, hotel: Hotel, changes: dict[str, Any], pointer: str
) -> None:
    response = put(**changes)
    assert response.status_code == 400, response.json()
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    with hotel_context(hotel):
        assert not Reservation.objects.exists()


@pytest.mark.parametrize("number", ["R" * 65, " ", "\x00"])
def test_put_with_an_invalid_reservation_number_is_rejected(put: Put, number: str) -> None:
    response = put(number)
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-reservation")


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("Ana\r\nBcc: all@example.com", "Ana Bcc: all@example.com"),
        ("Zoë 👩‍👩‍👧 Ünal", "Zoë 👩‍👩‍👧 Ünal"),
        ("محمد بن عبدالله", "محمد بن عبدالله"),
        ("Ana\u202egnp.exe", "Anagnp.exe"),
        ("  Ana   Lima ", "Ana Lima"),
        ("Robert'); DROP TABLE reminders_reservation;--", "Robert'); DROP TABLE reminders_reservation;--"),
    ],
)
def test_guest_name_is_stored_on_one_line_and_otherwise_unchanged(put: Put, name: str, stored: str) -> None:
    assert put(guest_name=name).json()["guest_name"] == stored


def test_reservation_number_with_extra_whitespace_identifies_the_same_reservation(
    put: Put, hotel: Hotel
) -> None:
    assert put("R 1").status_code == 201
    assert put(" R\t 1 ").status_code == 200
    with hotel_context(hotel):
        assert Reservation.objects.count() == 1


def test_reservation_filter_by_guest_email_ignores_case(put: Put, api: APIClient) -> None:
    put(guest_email="Ana@Example.com")
    put("R2", guest_email="eva@example.com")
    reservations = api.get("/api/v1/reservations/?guest_email=ANA@example.COM").json()["results"]
    assert [reservation["external_id"] for reservation in reservations] == ["R1"]


@pytest.mark.parametrize("number", ["a\0b", "a  b", " a b ", "a\u200b b"])
def test_get_and_put_requests_normalize_the_reservation_number_in_the_same_way(
    api: APIClient, put: Put, number: str
) -> None:
    stored = put(number)
    assert (stored.status_code, stored.json()["external_id"]) == (201, "a b")
    assert api.get(url(number)).json()["id"] == stored.json()["id"]


def test_validation_error_of_the_service_is_returned_with_a_pointer_to_the_field(put: Put) -> None:
    response = put(guest_name="\u200b")
    assert response.status_code == 422
    assert response.json()["errors"] == [{"pointer": "/guest_name", "detail": "This field cannot be blank."}]


def test_cancelling_a_reservation_returns_the_etag_of_the_new_version(api: APIClient, put: Put) -> None:
    created = put()
    cancelled = api.post(f"/api/v1/reservations/{created.json()['id']}/cancel/")
    assert cancelled["ETag"] not in {"", created["ETag"]}
    assert put(if_match=created["ETag"], status="cancelled").status_code == 412
    assert put(if_match=cancelled["ETag"], status="cancelled").status_code == 200


def test_reminder_list_with_an_unknown_reservation_id_is_empty(api: APIClient) -> None:
    unknown_id = "00000000-0000-0000-0000-000000000000"
    for name in ("reservation", "rule"):
        assert api.get(f"/api/v1/reminders/?{name}={unknown_id}").json()["results"] == []


@pytest.mark.parametrize(("country", "stored"), [("es", "ES"), ("Esp", "ESP"), ("", "")])
def test_country_is_stored_in_upper_case(put: Put, country: str, stored: str) -> None:
    assert put(country=country).json()["country"] == stored


@pytest.mark.parametrize("country", ["!!", "123", "E", "Portugal"])
def test_put_with_an_invalid_country_is_rejected(put: Put, country: str) -> None:
    response = put(country=country)
    assert response.status_code == 400
    assert {error["pointer"] for error in response.json()["errors"]} == {"/country"}
    assert "Enter a country code such as ESP or ES" in str(response.json()["errors"])

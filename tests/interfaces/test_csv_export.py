"""Tests of the export of lists as CSV over REST."""

import csv
import io
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Event
from hotelagent.rest.lists import csv_export
from reminders.models import Reservation
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tenants.scopes import HOTEL_SCOPES
from tests.interfaces.conftest import HOST

pytestmark = pytest.mark.django_db

RESERVATIONS = "/api/v1/reservations/export/"


def put(api: APIClient, number: str, **fields: Any) -> None:
    body = {"arrival": "2031-07-01", "departure": "2031-07-04", "guest_name": "Ana Lima", **fields}
    assert api.put(f"/api/v1/reservations/by-external-id/{number}/", body).status_code == 201


def download(api: APIClient, url: str) -> tuple[Any, list[dict[str, str]]]:
    """Download the export. Return the response, and the rows as a spreadsheet program reads them."""
    response: Any = api.get(url)
    assert response.status_code == 200, response.content
    response.text_of_file = response.getvalue().decode()
    return response, list(csv.DictReader(io.StringIO(response.text_of_file, newline="")))


def test_export_has_the_columns_and_the_rows_of_the_list_newest_first(api: APIClient) -> None:
    put(api, "R1", guest_email="ana@example.com", adults=2)
    put(api, "R2", guest_name='Zoë "Z", Müller', status="cancelled")
    response, rows = download(api, RESERVATIONS)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="reservations.csv"'
    assert response["Cache-Control"] == "no-store"
    listed = api.get("/api/v1/reservations/").json()["results"]
    assert list(rows[0]) == list(listed[0])
    assert [row["external_id"] for row in rows] == ["R2", "R1"]
    assert rows[0]["guest_name"] == 'Zoë "Z", Müller'
    assert (rows[1]["adults"], rows[1]["nights"], rows[1]["guest_email"]) == ("2", "3", "ana@example.com")
    assert rows[1]["updated_at"] == listed[1]["updated_at"]


def test_filters_of_the_list_apply_to_the_export_and_unknown_parameters_are_errors(api: APIClient) -> None:
    put(api, "R1")
    put(api, "R2", status="cancelled")
    _response, rows = download(api, f"{RESERVATIONS}?status=cancelled")
    assert [row["external_id"] for row in rows] == ["R2"]
    for parameter in ("page_size=5", "statuss=cancelled", "bom=maybe"):
        refused = api.get(f"{RESERVATIONS}?{parameter}")
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["pointer"] == f"?{parameter.partition('=')[0]}"


def test_csv_export_begins_with_a_byte_order_mark_only_on_request(api: APIClient) -> None:
    for parameters, has_bom in (("", False), ("?bom=false", False), ("?bom=true", True)):
        response, _rows = download(api, f"{RESERVATIONS}{parameters}")
        assert response.text_of_file.startswith("\ufeff") == has_bom


def test_cell_that_a_spreadsheet_would_run_as_a_formula_begins_with_an_apostrophe(api: APIClient) -> None:
    put(api, "R1", guest_name="=HYPERLINK(1)", guest_phone="+34 600", room_type="@A", source="-x")
    _response, [row] = download(api, RESERVATIONS)
    assert (row["guest_name"], row["guest_phone"]) == ("'=HYPERLINK(1)", "'+34 600")
    assert (row["room_type"], row["source"], row["external_id"]) == ("'@A", "'-x", "R1")


def test_export_in_batches_contains_each_row_once_and_records_each_batch(
    api: APIClient, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_export, "BATCH_SIZE", 3)
    for number in range(7):
        put(api, f"R{number}")
    with hotel_context(hotel):
        before = Event.objects.filter(event="personal_data.read").count()
    _response, rows = download(api, RESERVATIONS)
    assert [row["external_id"] for row in rows] == [f"R{number}" for number in reversed(range(7))]
    with hotel_context(hotel):
        ids = {str(id_) for id_ in Reservation.objects.values_list("id", flat=True)}
        events = list(Event.objects.filter(event="personal_data.read").order_by("id")[before:])
    assert [(event.actor_kind, event.data["count"]) for event in events] == [
        ("key", 3),
        ("key", 3),
        ("key", 1),
    ]
    recorded = {target[1] for event in events[:2] for target in event.data["targets"]}
    assert recorded | {events[2].subject_id} == ids


def test_rows_are_read_while_the_response_is_sent(
    api: APIClient, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An aborted download reads only the batches that were sent, and an export of any size needs little memory."""
    monkeypatch.setattr(csv_export, "BATCH_SIZE", 2)
    for number in range(6):
        put(api, f"R{number}")
    with hotel_context(hotel):
        before = Event.objects.filter(event="personal_data.read").count()
    response: Any = api.get(RESERVATIONS)
    parts = iter(response.streaming_content)
    next(parts)
    assert next(parts).count(b"Ana Lima") == 2
    with hotel_context(hotel):
        assert Event.objects.filter(event="personal_data.read").count() == before + 1


def test_holds_and_reminders_can_be_exported_as_csv(api: APIClient) -> None:
    room = api.post("/api/v1/rooms/", {"number": "101", "room_type": "double"}).json()["id"]
    nights = {"check_in": "2031-07-01", "check_out": "2031-07-04"}
    hold = api.post("/api/v1/locks/", {**nights, "rooms": [room], "reference": "=1+1"}).json()
    _response, [row] = download(api, "/api/v1/locks/export/?status=held")
    assert (row["id"], row["room_number"], row["room_type"]) == (hold["id"], "101", "double")
    assert (row["check_in"], row["check_out"], row["reference"]) == ("2031-07-01", "2031-07-04", "'=1+1")
    assert "token" not in row
    put(api, "R1", guest_email="ana@example.com")
    _response, rows = download(api, "/api/v1/reminders/export/?status=scheduled")
    listed = api.get("/api/v1/reminders/?status=scheduled").json()["results"]
    assert [row["id"] for row in rows] == [reminder["id"] for reminder in listed]
    assert rows[0]["reservation_number"] == "R1"


@pytest.mark.parametrize(
    ("path", "scope"),
    [("reservations", "reservations:read"), ("locks", "locks:read"), ("reminders", "reminders:read")],
)
def test_export_needs_the_scope_of_the_list(hotel: Hotel, path: str, scope: str) -> None:
    for scopes, status in (([scope], 200), (HOTEL_SCOPES.keys() - {scope}, 403)):
        with hotel_context(hotel):
            _key, secret = api_keys.create(name="limited", scopes=scopes)
        client = APIClient(SERVER_NAME=HOST)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert client.get(f"/api/v1/{path}/export/").status_code == status

"""Test that a generated client makes a booking: hold, reservation with the stay, and cancellation."""

import datetime
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locks import services
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.conftest import ALPHA_HOST
from tests.openapi import tools

pytestmark = pytest.mark.django_db(transaction=True)

ARRIVAL, DEPARTURE = datetime.date(2031, 7, 1), datetime.date(2031, 7, 4)


class GeneratedClient:
    """The client that openapi-python-client generates from the OpenAPI document of the repository."""

    def __init__(self, *, url: str, key: str) -> None:
        package = importlib.import_module("client")
        self.connection = package.AuthenticatedClient(base_url=url, token=key, headers={"Host": ALPHA_HOST})
        self.models = importlib.import_module("client.models")

    def send(self, section: str, operation: str, **arguments: Any) -> tuple[int, Any]:
        """Call the client's function for the operation. Return the status and the parsed body of the response."""
        module = importlib.import_module(f"client.api.{section}.{operation}")
        response = module.sync_detailed(client=self.connection, **arguments)
        return int(response.status_code), response.parsed


@pytest.fixture
def client(
    hotel: Hotel, gunicorn_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GeneratedClient]:
    document = next(path for path in tools.DOCUMENTS if path.stem == "hotel")
    assert tools.generate_python(document, tmp_path) == ""
    monkeypatch.syspath_prepend(str(tmp_path))
    with hotel_context(hotel):
        services.ensure_rooms({"double": 1})
        scopes = ["rooms:read", "locks:read", "locks:write", "reservations:read", "reservations:write"]
        _key, key = api_keys.create(name="booking engine", scopes=scopes)
    generated = GeneratedClient(url=f"http://127.0.0.1:{gunicorn_port}", key=key)
    with generated.connection:
        yield generated
    for name in [name for name in sys.modules if name == "client" or name.startswith("client.")]:
        del sys.modules[name]


def test_generated_client_books_a_room_and_cancels_the_booking(client: GeneratedClient) -> None:
    def free_rooms() -> list[str]:
        _status, found = client.send(
            "availability", "check_availability", check_in=ARRIVAL, check_out=DEPARTURE
        )
        return [room.number for room in found.rooms]

    models = client.models
    [number] = free_rooms()
    status, hold = client.send(
        "holds",
        "create_hold",
        body=models.CreateHoldRequest(check_in=ARRIVAL, check_out=DEPARTURE, room_type="double"),
        idempotency_key="first-attempt",
    )
    assert (status, hold.status, free_rooms()) == (201, models.AllocationStatus.HELD, [])

    proof = models.HoldReferenceRequest(id=hold.id, token=hold.token, fencing_token=hold.fencing_token)
    booking = models.PutReservationRequest(
        arrival=ARRIVAL, departure=DEPARTURE, guest_name="Ana Lima", guest_email="ana@example.com", hold=proof
    )
    status, reservation = client.send("reservations", "put_reservation", external_id="WEB-1042", body=booking)
    assert (status, reservation.rooms, reservation.nights) == (201, [number], 3)
    _status, stay = client.send("holds", "get_hold", id=hold.id)
    assert stay.status == models.AllocationStatus.CONFIRMED

    status, cancelled = client.send("reservations", "cancel_reservation", id=reservation.id)
    assert (status, cancelled.status) == (200, models.ReservationStatus.CANCELLED)
    _status, stay = client.send("holds", "get_hold", id=hold.id)
    assert (stay.status, free_rooms()) == (models.AllocationStatus.CANCELLED, [number])


def test_generated_client_returns_the_problem_of_a_refused_request(client: GeneratedClient) -> None:
    models = client.models
    body = models.CreateHoldRequest(check_in=ARRIVAL, check_out=ARRIVAL, room_type="double")
    status, problem = client.send("holds", "create_hold", body=body)
    assert (status, problem.type_) == (422, "/problems/invalid-date-range")

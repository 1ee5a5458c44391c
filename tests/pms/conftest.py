"""Fixtures for the tests of the connection to a PMS: a hotel with rooms, and a QloApps server in a separate process."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hotelagent.pms import connections, policy
from hotelagent.pms.values import Guest, StaySearch
from locks import selectors, services
from locks.nights import Nights
from tenants.models import Hotel
from tests.pms.fake_qloapps import KEY, State

GUEST = Guest(name="Ana Reyes", email="ana@example.com", phone="+34600111222", language="es")


class FakeQloApps:
    """A QloApps server that runs in a separate process."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def set(self, **members: Any) -> None:
        """Change members of the server's state, such as its faults."""
        self._request(json.dumps(members).encode())

    @property
    def bookings(self) -> list[dict[str, Any]]:
        """Return all bookings of the server, including cancelled ones."""
        bookings: list[dict[str, Any]] = self._request()["bookings"]
        return bookings

    @property
    def active_bookings(self) -> list[dict[str, Any]]:
        return [booking for booking in self.bookings if booking["booking_status"] != 3]

    @property
    def searches(self) -> int:
        """Return the number of searches for availability so far."""
        return int(self._request()["searches"])

    @property
    def requests(self) -> int:
        """Return the number of requests so far."""
        return int(self._request()["requests"])

    def _request(self, body: bytes | None = None) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_fake", body, timeout=10) as response:  # noqa: S310 - http
            document: dict[str, Any] = json.load(response)
        return document


@pytest.fixture(scope="session")
def _fake_qloapps_process() -> Iterator[FakeQloApps]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pms.fake_qloapps"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    yield FakeQloApps(int(process.stdout.readline()))
    process.stdin.close()
    process.stdout.close()
    process.wait(timeout=10)


@pytest.fixture
def fake_qloapps(_fake_qloapps_process: FakeQloApps) -> FakeQloApps:
    """Return the QloApps server without bookings, and with only those faults that QloApps itself has."""
    initial = vars(State())
    _fake_qloapps_process.set(**{name: initial[name] for name in initial if name != "lock"})
    return _fake_qloapps_process


def connect_to(url: str) -> None:
    """Connect the current hotel to the QloApps server with this URL."""
    connections.change_connection(
        changes={
            "system": "qloapps",
            "url": url,
            "property_id": "1",
            "currency": "EUR",
            "room_types": {"double": "1", "suite": "2"},
        },
        key=KEY,
    )


@pytest.fixture
def _fast_retries(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = True
    monkeypatch.setattr(policy, "READ_RETRY_DELAYS", (0.0, 0.0))
    monkeypatch.setattr(policy, "REQUESTS_PER_SECOND", 10_000.0)
    monkeypatch.setattr(policy, "REQUEST_BURST", 10_000)
    monkeypatch.setattr(policy, "SETTLE_TIME", datetime.timedelta(0))


@pytest.fixture
def rooms(in_hotel: Hotel) -> None:
    """Create the same rooms as those of the QloApps server: three double rooms and a suite."""
    services.ensure_rooms({"double": 3, "suite": 1})


@pytest.fixture
def qloapps(rooms: None, fake_qloapps: FakeQloApps, _fast_retries: None) -> FakeQloApps:
    """Connect the hotel Alpha to the QloApps server, and return the server."""
    connect_to(fake_qloapps.url)
    return fake_qloapps


@pytest.fixture
def search(in_hotel: Hotel) -> Callable[..., StaySearch]:
    """Return a function that creates a search: `search(3, 2)` begins in three days and has two nights."""
    today = selectors.today()

    def create(start: int = 1, count: int = 2, room_type: str = "double") -> StaySearch:
        check_in = today + datetime.timedelta(days=start)
        return StaySearch(
            Nights(check_in, check_in + datetime.timedelta(days=count)), adults=2, room_type=room_type
        )

    return create

"""Fixtures for the tests of reminders: a simulated clock, and a function that stores reservations."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.utils import timezone

from reminders.models import Reservation
from reminders.reservations.services import upsert_reservation
from tenants.models import Hotel

Clock = Callable[[str], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a function that sets the current time of Django, in UTC. Example: clock("2030-05-01 10:00")."""

    def set_time(value: str) -> None:
        now = datetime.fromisoformat(value).replace(tzinfo=UTC)
        monkeypatch.setattr(timezone, "now", lambda: now)

    return set_time


@pytest.fixture
def book(in_hotel: Hotel) -> Callable[..., Reservation]:
    """Return a function that stores a reservation. Example: book("R1", "2030-05-10", "2030-05-12", language="es")."""

    def make(number: str, arrival: str, departure: str, **fields: Any) -> Reservation:
        values = {
            "guest_name": "Ana Lima",
            "guest_email": f"{number.lower()}@example.com",
            "adults": 2,
            **fields,
        }
        reservation, _is_new = upsert_reservation(
            external_id=number,
            arrival=date.fromisoformat(arrival),
            departure=date.fromisoformat(departure),
            **values,
        )
        return reservation

    return make

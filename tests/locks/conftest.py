"""Fixtures for the tests of holds: a hotel with a few rooms, and nights relative to today's date at the hotel."""

import datetime
from collections.abc import Callable, Iterator

import pytest

from audit.services import record
from locks import selectors, services
from locks.nights import Nights
from locks.services import acquisition
from tenants.models import Hotel
from tests.locks.receiver import Receiver
from tests.web import serving

SomeNights = Callable[..., Nights]


@pytest.fixture
def rooms(in_hotel: Hotel) -> list[int]:
    """Return the ids of three double rooms, 101 to 103."""
    services.ensure_rooms({"double": 3})
    return services.ensure_rooms({})["double"]


@pytest.fixture
def today(in_hotel: Hotel) -> datetime.date:
    """Return the current date in the hotel's time zone."""
    return selectors.today()


@pytest.fixture
def nights(today: datetime.date) -> SomeNights:
    """Return a function that creates nights: `nights(3, 2)` returns two nights with check-in in three days."""

    def some(start: int = 0, count: int = 1) -> Nights:
        check_in = today + datetime.timedelta(days=start)
        return Nights(check_in, check_in + datetime.timedelta(days=count))

    return some


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running HTTP server that receives webhooks."""
    with serving(Receiver()) as listening:
        yield listening


@pytest.fixture(autouse=True)
def _record_refusals_in_the_test_transaction(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Record refusal events in the test's transaction, so that they are rolled back after the test.

    In production, such an event has a separate transaction, so that it is kept when the request is rolled back.
    """
    marker = request.node.get_closest_marker("django_db")
    if marker is not None and not marker.kwargs.get("transaction"):
        monkeypatch.setattr(acquisition, "record_in_own_transaction", record)

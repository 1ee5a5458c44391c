"""Tests of two years of bookings over REST: each is held and confirmed when it was made, and cancelled on its day.

The test takes the arrivals of a few days; `make replay` takes all bookings.
"""

import os
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from locks import selectors, services
from locks.models import Room
from tenants.context import hotel_context
from tenants.models import Hotel
from tests import bookings
from tests.locks import replay
from tests.locks.replay import Booking, House

LOCKS = "/api/v1/locks/"
IS_WHOLE = os.environ.get("REPLAY") == "whole"
#: Arrival dates of the sample. Their bookings fill the hotel, so that some are refused.
SAMPLE_DAYS = 3

_OVERLAPS = """
SELECT count(*) FROM (
    SELECT lower(nights) < max(upper(nights)) OVER (
        PARTITION BY room_id ORDER BY lower(nights), id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS clashes
    FROM locks_allocation WHERE status IN ('held', 'confirmed', 'closed')) AS stays
WHERE clashes
"""


@pytest.fixture(autouse=True)
def _no_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", {"client": "1000000/s"}, raising=False)


class Engine:
    """A booking engine: what it was told, and whether that was right."""

    def __init__(self, api: APIClient, house: House) -> None:
        self.api, self.house = api, house
        self.tokens: dict[str, dict[str, Any]] = {}
        self.outcomes: Counter[str] = Counter()

    def book(self, booking: Booking) -> None:
        answer = self.api.post(
            LOCKS,
            {
                "room_type": booking.room_type,
                "check_in": booking.check_in.isoformat(),
                "check_out": booking.check_out.isoformat(),
                "session": booking.number,
                "reference": booking.number,
            },
        )
        said = answer.json()
        if answer.status_code != 201:
            self.outcomes[self.explained(booking, answer.status_code, said)] += 1
            return
        number = said["rooms"][0]["number"]
        assert self.house.types[number] == booking.room_type
        assert self.house.is_free(number, booking.nights), (booking, number)
        own = {"token": said["token"]}
        confirmed = self.api.post(
            f"{LOCKS}{said['id']}/confirm/", {**own, "fencing_token": said["fencing_token"]}
        )
        assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed"), confirmed.json()
        self.house.taken[number].update(booking.nights)
        self.tokens[booking.number] = {"id": said["id"], "room": number, **own}
        self.outcomes["booked"] += 1

    def explained(self, booking: Booking, status: int, problem: dict[str, Any]) -> str:
        """The problem's type; fails where the house was not as the problem says."""
        if not booking.nights:
            assert (status, problem["type"]) == (422, "/problems/invalid-date-range")
        else:
            assert (status, problem["type"]) == (409, "/problems/room-type-unavailable"), problem
            assert self.house.free(booking.room_type, booking.nights) == []
            assert problem["free"] == 0
            next_free = self.house.next_free(booking.room_type, booking.nights)
            assert date.fromisoformat(problem["next_free"]) == next_free
        return str(problem["type"])

    def cancel(self, booking: Booking) -> None:
        if (stay := self.tokens.pop(booking.number, None)) is None:
            return  # it was refused when it was made
        answer = self.api.post(f"{LOCKS}{stay['id']}/cancel/", {"token": stay["token"]})
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled"), answer.json()
        self.house.taken[stay["room"]].difference_update(booking.nights)
        self.outcomes["cancelled"] += 1


@pytest.mark.timeout(7200 if IS_WHOLE else 120)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", bookings.HOTELS)
def test_replayed_bookings_never_overlap_and_every_refusal_is_right(
    name: str, api: APIClient, hotel: Hotel
) -> None:
    with hotel_context(hotel):
        tomorrow = selectors.today() + timedelta(days=1)
    wanted = replay.bookings(name, moved_to=tomorrow, days=None if IS_WHOLE else SAMPLE_DAYS)
    with hotel_context(hotel):
        services.ensure_rooms(replay.supply(wanted))
        house = House(dict(Room.objects.values_list("number", "room_type")))
    engine = Engine(api, house)
    for cancelling, booking in replay.days(wanted):
        for one in cancelling:
            engine.cancel(one)
        for one in booking:
            engine.book(one)
    print(
        f"{name}, {bookings.SOURCE}: {len(wanted)} bookings in {len(house.types)} rooms: {dict(engine.outcomes)}"
    )
    booked = engine.outcomes["booked"]
    assert booked + engine.outcomes["/problems/room-type-unavailable"] + engine.outcomes[
        "/problems/invalid-date-range"
    ] == len(wanted)
    assert engine.outcomes["/problems/room-type-unavailable"] > 0
    assert engine.outcomes["cancelled"] > 0
    with hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute(_OVERLAPS)
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM locks_allocation WHERE status = 'confirmed'")
        assert cursor.fetchone() == (booked - engine.outcomes["cancelled"],)

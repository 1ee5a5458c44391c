"""Tests that replay two years of bookings through the REST API.

Each booking is held and confirmed on the day on which it was made, and cancelled on its cancellation date. The test
replays the arrivals of a few days, and `make replay` replays all bookings.
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
from tests.locks.replay import Booking, RoomModel

LOCKS = "/api/v1/locks/"
NO_NIGHT, NO_ROOM = "/problems/invalid-date-range", "/problems/room-type-unavailable"
IS_WHOLE = os.environ.get("REPLAY") == "whole"
#: The arrival dates of the sampled bookings. These bookings fill the hotel, so some of them are refused.
SAMPLE_DAYS = 3

#: The number of allocations that begin before an earlier allocation of the same room has ended.
_OVERLAPS = """
SELECT count(*) FROM (
    SELECT lower(nights) < max(upper(nights)) OVER (
        PARTITION BY room_id ORDER BY lower(nights), id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS has_overlap
    FROM locks_allocation WHERE status IN ('held', 'confirmed', 'closed')) AS allocations
WHERE has_overlap
"""


@pytest.fixture(autouse=True)
def _no_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", {"client": "1000000/s"}, raising=False)


class BookingEngine:
    """A REST client that books rooms and cancels bookings.

    Each response is compared with RoomModel, a model of the rooms in the memory of the test.
    """

    def __init__(self, api: APIClient, rooms: RoomModel) -> None:
        self.api, self.rooms = api, rooms
        self.stays: dict[str, dict[str, Any]] = {}  # by booking number
        self.outcomes: Counter[str] = Counter()

    def book(self, booking: Booking) -> None:
        response = self.api.post(
            LOCKS,
            {
                "room_type": booking.room_type,
                "check_in": booking.check_in.isoformat(),
                "check_out": booking.check_out.isoformat(),
                "session": booking.number,
                "reference": booking.number,
            },
        )
        body = response.json()
        if response.status_code != 201:
            self.outcomes[self.check_refusal(booking, response.status_code, body)] += 1
            return
        number = body["rooms"][0]["number"]
        assert self.rooms.types[number] == booking.room_type
        assert self.rooms.is_free(number, booking.nights), (booking, number)
        owner = {"token": body["token"]}
        confirmed = self.api.post(
            f"{LOCKS}{body['id']}/confirm/", {**owner, "fencing_token": body["fencing_token"]}
        )
        assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed"), confirmed.json()
        self.rooms.occupied[number].update(booking.nights)
        self.stays[booking.number] = {"id": body["id"], "room": number, **owner}
        self.outcomes["booked"] += 1

    def check_refusal(self, booking: Booking, status: int, problem: dict[str, Any]) -> str:
        """Check a refused booking against `self.rooms`, and return the problem type of the response.

        The check fails if a room is free, or if the response contains a wrong next free date.
        """
        if not booking.nights:
            assert (status, problem["type"]) == (422, NO_NIGHT)
        else:
            assert (status, problem["type"]) == (409, NO_ROOM), problem
            assert self.rooms.free_rooms(booking.room_type, booking.nights) == []
            assert problem["free"] == 0
            next_free = self.rooms.next_free_date(booking.room_type, booking.nights)
            assert date.fromisoformat(problem["next_free"]) == next_free
        return str(problem["type"])

    def cancel(self, booking: Booking) -> None:
        if (stay := self.stays.pop(booking.number, None)) is None:
            return  # The API refused the booking.
        response = self.api.post(f"{LOCKS}{stay['id']}/cancel/", {"token": stay["token"]})
        assert (response.status_code, response.json()["status"]) == (200, "cancelled"), response.json()
        self.rooms.occupied[stay["room"]].difference_update(booking.nights)
        self.outcomes["cancelled"] += 1


@pytest.mark.timeout(7200 if IS_WHOLE else 120)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", bookings.HOTELS)
def test_replayed_bookings_never_overlap_and_every_refusal_is_correct(
    name: str, api: APIClient, hotel: Hotel
) -> None:
    with hotel_context(hotel):
        tomorrow = selectors.today() + timedelta(days=1)
    days = None if IS_WHOLE else SAMPLE_DAYS
    all_bookings = replay.load_bookings(name, moved_to=tomorrow, days=days)
    with hotel_context(hotel):
        services.ensure_rooms(replay.room_counts(all_bookings))
        rooms = RoomModel(dict(Room.objects.values_list("number", "room_type")))
    engine = BookingEngine(api, rooms)
    for cancelled, booked in replay.by_day(all_bookings):
        for booking in cancelled:
            engine.cancel(booking)
        for booking in booked:
            engine.book(booking)
    outcomes = engine.outcomes
    print(
        f"{name}, {bookings.SOURCE}: {len(all_bookings)} bookings in {len(rooms.types)} rooms: {dict(outcomes)}"
    )
    assert outcomes["booked"] + outcomes[NO_ROOM] + outcomes[NO_NIGHT] == len(all_bookings)
    assert outcomes[NO_ROOM] > 0
    assert outcomes["cancelled"] > 0
    with hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute(_OVERLAPS)
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM locks_allocation WHERE status = 'confirmed'")
        assert cursor.fetchone() == (outcomes["booked"] - outcomes["cancelled"],)

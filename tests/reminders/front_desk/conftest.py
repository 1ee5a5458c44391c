"""Fixtures for the tests of the front desk: rooms, and reservations with a room."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.utils import timezone

from locks import selectors, services
from locks.models import Allocation
from reminders.front_desk.rooms import assign_rooms
from reminders.models import Reservation
from tenants.context import platform_context
from tenants.models import Hotel

#: Day 0 is today in the hotel's time zone.
Day = Callable[[int], date]
BookRoom = Callable[..., Reservation]


def set_local_hour(hotel: Hotel, hour: int) -> None:
    """Give the hotel a time zone in which the current time is `hour` o'clock and some minutes."""
    # The names of these zones have the opposite sign: Etc/GMT-3 is three hours ahead of UTC.
    ahead = (hour - timezone.now().hour + 11) % 24 - 11
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(time_zone=f"Etc/GMT{-ahead:+d}")
        hotel.refresh_from_db()


@pytest.fixture(autouse=True)
def _daytime(hotel: Hotel) -> None:
    """Let the tests run at noon in the hotel's time zone, because before 6:00 the last night is not over."""
    set_local_hour(hotel, 12)


@pytest.fixture
def after_midnight(hotel: Hotel, _daytime: None) -> None:
    """Let the test run between 2:00 and 3:00 in the hotel's time zone."""
    set_local_hour(hotel, 2)


@pytest.fixture
def day(in_hotel: Hotel) -> Day:
    """Return a function that returns a date: day(0) is today, and day(-1) is yesterday."""
    today = selectors.today()
    return lambda days: today + timedelta(days=days)


@pytest.fixture
def rooms(in_hotel: Hotel) -> list[int]:
    """Return the ids of three double rooms, 101 to 103."""
    return services.ensure_rooms({"double": 3})["double"]


@pytest.fixture
def book_room(book: Callable[..., Reservation], day: Day, rooms: list[int]) -> BookRoom:
    """Return a function that stores a reservation with a stay. Example: book_room("R1", 0, 2, rooms[0])."""

    def make(number: str, arrival: int, departure: int, *chosen: int, **fields: object) -> Reservation:
        reservation = book(number, day(arrival).isoformat(), day(departure).isoformat(), **fields)
        if arrival >= 0:
            return assign_rooms(reservation_id=reservation.id, rooms=chosen)
        stays = [services.NewStay(room, day(arrival), day(departure), reference=number) for room in chosen]
        services.add_stays(stays)
        Reservation.objects.filter(id=reservation.id).update(stay=stays[0].id)
        reservation.refresh_from_db()
        return reservation

    return make


def occupied(day: Day, *, since: int = -10) -> list[tuple[str, int, int, str]]:
    """Return the confirmed stays as (room number, check-in, check-out, reference), with days relative to today."""
    today = day(0)
    return [
        (stay.room.number, (stay.check_in - today).days, (stay.check_out - today).days, stay.reference)
        for stay in Allocation.objects.filter(status="confirmed", nights__endswith__gt=day(since))
        .select_related("room")
        .order_by("room__number", "nights")
    ]

"""Fixtures for the tests of the front desk: rooms, and reservations with a room."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from locks import selectors, services
from locks.models import Allocation
from reminders.front_desk.rooms import assign_rooms
from reminders.models import Reservation
from tenants.models import Hotel

#: Day 0 is today in the hotel's time zone.
Day = Callable[[int], date]
BookRoom = Callable[..., Reservation]


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

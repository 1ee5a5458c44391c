"""Fixtures for the lists of a day: rooms, and a function that stores a reservation with a stay."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from locks import services as rooms
from locks.models import Room
from locks.selectors import today
from locks.services import NewStay
from reminders.models import Reservation
from tenants.models import Hotel

Book = Callable[..., Reservation]
DAY = timedelta(days=1)


@pytest.fixture
def day(in_hotel: Hotel) -> date:
    """Return today's date in the hotel's time zone."""
    return today()


@pytest.fixture
def book_room(day: date) -> Book:
    """Return a function that stores a reservation with a stay. Arrival and departure are numbers of days from today.

    Example: book_room("R1", -1, 2, room="101", status="checked_in").
    """

    def make(number: str, arrival: int, departure: int, *, room: str = "", **fields: Any) -> Reservation:
        first, last = day + arrival * DAY, day + departure * DAY
        stay = None
        if room:
            values = {"room_type": "Double", "floor": int(room[0])}
            stored, _created = Room.objects.get_or_create(number=room, defaults=values)
            result = rooms.add_stays([NewStay(room=stored.id, check_in=first, check_out=last)])
            [stay] = [added.id for added in result.added]
        return Reservation.objects.create(
            external_id=number,
            arrival=first,
            departure=last,
            stay_id=stay,
            **{"guest_name": f"Guest {number}", **fields},
        )

    return make

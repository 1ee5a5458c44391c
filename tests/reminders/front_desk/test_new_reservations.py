"""Tests of reservations that the front desk creates."""

from typing import Any

import pytest

from audit.models import Event
from locks.errors import RoomUnavailable
from reminders.errors import InvalidReservation
from reminders.front_desk.new_reservations import book_at_front_desk
from reminders.models import Reminder, Reservation
from tests.reminders.front_desk.conftest import BookRoom, Day, occupied

pytestmark = pytest.mark.django_db
GUEST: dict[str, Any] = {"guest_name": "Ana Lima", "guest_email": "ana@example.com", "source": "Phone"}


def test_new_reservation_gets_a_number_a_room_and_its_reminders(rooms: list[int], day: Day) -> None:
    first = book_at_front_desk(rooms=rooms[:1], arrival=day(10), departure=day(12), **GUEST)
    second = book_at_front_desk(rooms=rooms[1:], arrival=day(10), departure=day(12), **GUEST)
    numbers = [f"FD-{day(0):%y%m%d}-1", f"FD-{day(0):%y%m%d}-2"]
    assert [first.external_id, second.external_id] == numbers
    assert (first.status, first.booked_on, first.room_type) == ("booked", day(0), "double")
    assert occupied(day) == [
        ("101", 10, 12, numbers[0]), ("102", 10, 12, numbers[1]), ("103", 10, 12, numbers[1]),
    ]  # fmt: skip
    assert Reminder.objects.filter(reservation=first, status="scheduled").exists()


def test_walk_in_is_checked_in_and_gets_no_reminders_from_before_the_arrival(
    rooms: list[int], day: Day
) -> None:
    guest = book_at_front_desk(rooms=rooms[:1], is_arriving=True, arrival=day(0), departure=day(1), **GUEST)
    assert (guest.status, guest.checked_in_at is not None) == ("checked_in", True)
    assert not Reminder.objects.filter(reservation=guest).exists()
    recorded = Event.objects.filter(subject_id=str(guest.id)).values_list("event", flat=True)
    assert set(recorded) == {"reservation.created", "reservation.checked_in"}


def test_new_reservation_for_an_occupied_room_stores_nothing(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    book_room("R1", 1, 2, rooms[0])
    with pytest.raises(RoomUnavailable, match="Room 101 has a stay"):
        book_at_front_desk(rooms=rooms[:2], arrival=day(0), departure=day(2), **GUEST)
    assert Reservation.objects.count() == 1
    assert occupied(day) == [("101", 1, 2, "R1")]


def test_new_reservation_in_the_past_or_without_a_guest_is_refused(rooms: list[int], day: Day) -> None:
    with pytest.raises(InvalidReservation, match="in the past"):
        book_at_front_desk(rooms=rooms[:1], arrival=day(-1), departure=day(2), **GUEST)
    with pytest.raises(InvalidReservation, match="guest_name"):
        book_at_front_desk(rooms=rooms[:1], arrival=day(0), departure=day(2), **{**GUEST, "guest_name": ""})
    assert not Reservation.objects.exists()

"""Tests of the front desk between midnight and 6:00, when the last night is not over."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from locks import selectors
from locks.errors import InvalidCheckIn, RoomUnavailable
from locks.nights import Nights
from locks.services import acquire_hold
from reminders.errors import InvalidReservation
from reminders.front_desk.arrivals import check_in, mark_no_show
from reminders.front_desk.dates import change_dates
from reminders.front_desk.new_reservations import book_at_front_desk
from reminders.front_desk.rooms import assign_rooms
from reminders.local_time import first_open_night
from reminders.models import Reservation
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.reminders.front_desk.conftest import BookRoom, Day, occupied, set_local_hour
from tests.reminders.front_desk.test_pages import GUEST as FORM
from tests.reminders.front_desk.test_pages import NEW, messages

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("after_midnight")]
GUEST: dict[str, Any] = {"guest_name": "Ana Lima", "guest_email": "ana@example.com", "source": "Walk-in"}


@pytest.mark.parametrize(("hour", "night"), [(0, -1), (5, -1), (6, 0), (12, 0), (23, 0)])
def test_first_open_night_is_yesterday_until_six(in_hotel: Hotel, hour: int, night: int) -> None:
    set_local_hour(in_hotel, hour)
    with hotel_context(in_hotel):
        assert first_open_night() - selectors.today() == timedelta(days=night)


def test_walk_in_after_midnight_is_booked_for_the_night_before(rooms: list[int], day: Day) -> None:
    guest = book_at_front_desk(rooms=rooms[:2], is_arriving=True, arrival=day(-1), departure=day(0), **GUEST)
    number = guest.external_id
    assert (guest.status, guest.arrival) == ("checked_in", day(-1))
    assert occupied(day) == [("101", -1, 0, number), ("102", -1, 0, number)]
    recorded = Event.objects.filter(event="hold.confirmed").values_list("data__room", flat=True)
    assert sorted(recorded) == ["101", "102"]


def test_night_before_is_refused_for_an_occupied_room_and_for_earlier_nights(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    book_room("R1", -2, 0, rooms[0])
    with pytest.raises(RoomUnavailable, match="Room 101 has a stay") as refusal:
        book_at_front_desk(rooms=rooms[:2], arrival=day(-1), departure=day(1), **GUEST)
    assert [room["number"] for room in refusal.value.extra["alternatives"]] == ["103"]
    with pytest.raises(InvalidReservation, match="The night before today can be booked until"):
        book_at_front_desk(rooms=rooms[1:], arrival=day(-2), departure=day(1), **GUEST)
    with pytest.raises(InvalidCheckIn):
        acquire_hold(rooms=rooms[1:], nights=Nights(day(-1), day(1)))
    assert occupied(day) == [("101", -2, 0, "R1")]


def test_late_guest_without_a_room_gets_the_night_before(book: BookRoom, rooms: list[int], day: Day) -> None:
    late = book("R1", day(-1).isoformat(), day(0).isoformat())
    assign_rooms(reservation_id=late.id, rooms=rooms[:1])
    assert occupied(day) == [("101", -1, 0, "R1")]
    assert check_in(reservation_id=late.id).status == "checked_in"


def test_no_show_frees_the_night_before_for_a_walk_in(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    mark_no_show(reservation_id=book_room("R1", -2, 1, rooms[0]).id)
    guest = book_at_front_desk(rooms=rooms[:1], arrival=day(-1), departure=day(0), **GUEST)
    assert occupied(day) == [("101", -2, -1, "R1"), ("101", -1, 0, guest.external_id)]


def test_arrival_date_can_be_changed_to_the_night_before_but_not_to_an_earlier_night(
    book_room: BookRoom, in_hotel: Hotel, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 0, 1, rooms[0])
    change_dates(reservation_id=reservation.id, arrival=day(-1), departure=day(1))
    assert occupied(day) == [("101", -1, 1, "R1")]
    with pytest.raises(InvalidReservation, match="The arrival date is in the past"):
        change_dates(reservation_id=reservation.id, arrival=day(-2), departure=day(1))


def test_new_reservation_page_begins_with_the_night_before_and_checks_the_guest_in(
    staff: Client, rooms: list[int], day: Day
) -> None:
    page = staff.get(NEW)
    text = page.content.decode()
    assert f'name="arrival" value="{day(-1)}"' in text
    assert "This night can be booked until 06:00." in text
    assert "Save and check in" in text
    dates = {"arrival": day(-1), "departure": day(0)}
    page = staff.post(NEW, {**FORM, **dates, "room": [rooms[1]], "check_in": ""}, follow=True)
    assert messages(page) == ["Ana Lima has checked in."]
    assert Reservation.objects.get().stay.room_id == rooms[1]  # type: ignore[union-attr]


def test_new_reservation_page_by_day_does_not_offer_the_night_before(
    staff: Client, in_hotel: Hotel, rooms: list[int]
) -> None:
    set_local_hour(in_hotel, 12)
    text = staff.get(NEW).content.decode()
    assert "This night can be booked until" not in text

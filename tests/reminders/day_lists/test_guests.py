"""Tests of the lists of guests: arrivals, guests in house and departures."""

from datetime import date

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.test.utils import CaptureQueriesContext

from locks import services as rooms
from locks.models import Allocation, Room
from locks.services import NewStay
from reminders.day_lists.guests import GuestCounts, GuestList, count_guests, list_guests
from reminders.models import Reservation
from tests.reminders.day_lists.conftest import DAY, Book

pytestmark = pytest.mark.django_db


def numbers(guest_list: GuestList, day: date) -> list[str]:
    return [guest.number for guest in list_guests(guest_list, day=day)]


def test_dates_and_status_of_a_reservation_decide_in_which_day_lists_its_guest_is(
    day: date, book_room: Book
) -> None:
    book_room("arriving", 0, 2, room="101")
    book_room("arrived", 0, 2, room="102", status="checked_in")
    book_room("staying", -1, 2, room="103", status="checked_in")
    book_room("not-checked-in", -1, 2, room="104")
    book_room("leaving", -2, 0, room="105", status="checked_in")
    book_room("left", -2, 0, room="106", status="checked_out")
    book_room("overdue", -3, -1, room="107", status="checked_in")
    for status in ("cancelled", "no_show", "inquiry"):
        book_room(f"{status}-arrival", 0, 1, status=status)
        book_room(f"{status}-departure", -1, 0, status=status)
        book_room(f"{status}-stay", -1, 1, status=status)
    book_room("earlier", -3, -1)
    book_room("later", 1, 2)
    # Guests who have not checked in or out yet come first in the lists of arrivals and departures.
    assert numbers(GuestList.ARRIVALS, day) == ["arriving", "arrived"]
    assert numbers(GuestList.IN_HOUSE, day) == ["arrived", "staying", "not-checked-in", "leaving", "overdue"]
    assert numbers(GuestList.DEPARTURES, day) == ["leaving", "overdue", "left"]
    assert count_guests(day=day) == GuestCounts(
        arrivals=2, in_house=5, departures=3, expected_arrivals=1, expected_departures=2
    )


def test_list_shows_the_room_on_the_day_and_the_number_of_guests(day: date, book_room: Book) -> None:
    reservation = book_room("moved", -2, 2, room="101", status="checked_in", adults=2, children=1)
    assert reservation.stay_id is not None
    other = Room.objects.create(number="102", room_type="Double")
    # The guest has moved: the stay in the first room ended yesterday, and a stay in another room began.
    Allocation.objects.filter(id=reservation.stay_id).update(nights=DateRange(day - 2 * DAY, day - DAY))
    second = NewStay(room=other.id, check_in=day - DAY, check_out=day + 2 * DAY, group_id=reservation.id)
    rooms.add_stays([second])
    [guest] = list_guests(GuestList.IN_HOUSE, day=day)
    assert (guest.rooms, guest.people, guest.nights) == (["102"], "2 adults, 1 child", 4)


def test_reservation_with_several_rooms_is_listed_once_with_all_rooms(day: date, book_room: Book) -> None:
    reservation = book_room("group", 0, 2, room="101", additional_room_types=["Double"])
    other = Room.objects.create(number="99", room_type="Double")
    rooms.add_stays([NewStay(room=other.id, check_in=day, check_out=day + 2 * DAY, group_id=reservation.id)])
    [guest] = list_guests(GuestList.ARRIVALS, day=day)
    assert guest.rooms == ["99", "101"]


def test_notes_mention_a_missing_room_a_different_room_type_and_a_late_arrival_or_departure(
    day: date, book_room: Book
) -> None:
    book_room("A", 0, 1)
    book_room("B", 0, 1, room="101", room_type="Suite")
    book_room("C", 0, 1, room="102", room_type="Double")
    book_room("D", -1, 1, room="103")
    book_room("E", -3, -1, room="104", status="checked_in")
    notes = {
        guest.number: guest.notes for guest_list in GuestList for guest in list_guests(guest_list, day=day)
    }
    assert notes["A"] == ["No room is assigned."]
    assert notes["B"] == ["Booked: Suite"]
    assert notes["C"] == []
    assert notes["D"] == ["No check-in was recorded."]
    assert notes["E"][0].startswith("The departure was planned for ")


def test_list_of_many_guests_takes_one_query(day: date, book_room: Book) -> None:
    for number in range(12):
        book_room(f"R{number:02}", 0, 1)
    with CaptureQueriesContext(connection) as queries:
        assert len(list_guests(GuestList.ARRIVALS, day=day)) == Reservation.objects.count() == 12
    assert len([query for query in queries if "CROSS JOIN LATERAL" in query["sql"]]) == 1

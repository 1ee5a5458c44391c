"""Tests of the rooms and the dates of a reservation: assigning, moving, extending and shortening."""

from collections.abc import Callable

import pytest

from audit.models import Event
from locks.errors import InvalidDateRange, RoomUnavailable
from reminders.errors import InvalidReservation, ReservationConflict, ReservationStateError
from reminders.front_desk.arrivals import check_in, check_out, mark_no_show
from reminders.front_desk.dates import change_dates
from reminders.front_desk.rooms import assign_rooms, free_rooms, move_guest
from reminders.models import Reservation
from reminders.reservations.services import upsert_reservation
from reminders.selectors import reservation_by_number, stays_of
from tests.reminders.front_desk.conftest import BookRoom, Day, occupied

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


def move(reservation: Reservation, room: int, *, version: str | None = None) -> Reservation:
    reservation.refresh_from_db()
    assert reservation.stay_id is not None
    return move_guest(reservation_id=reservation.id, stay_id=reservation.stay_id, room=room, version=version)


def test_reservation_without_a_room_gets_the_chosen_rooms(book: Book, rooms: list[int], day: Day) -> None:
    reservation = book("R1", day(1).isoformat(), day(3).isoformat())
    assigned = assign_rooms(reservation_id=reservation.id, rooms=rooms[:2])
    assert occupied(day) == [("101", 1, 3, "R1"), ("102", 1, 3, "R1")]
    assert reservation_by_number("R1").room_numbers == ["101", "102"]  # type: ignore[attr-defined]
    with pytest.raises(ReservationStateError, match="already has a room"):
        assign_rooms(reservation_id=assigned.id, rooms=rooms[2:])


def test_move_before_arrival_moves_all_nights(book_room: BookRoom, rooms: list[int], day: Day) -> None:
    reservation = book_room("R1", 1, 3, rooms[0])
    before = Reservation.objects.get(id=reservation.id).version
    assert move(reservation, rooms[1]).version != before
    assert occupied(day) == [("102", 1, 3, "R1")]
    event = Event.objects.get(event="reservation.moved")
    assert (event.data["from_room"], event.data["room"]) == ("101", "102")


def test_guest_in_house_moves_from_today_and_keeps_the_earlier_nights_in_the_old_room(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    # Another guest had room 102 last night, so room 102 is free only from today.
    check_out(reservation_id=check_in(reservation_id=book_room("R0", -3, 0, rooms[1]).id).id)
    reservation = book_room("R1", -2, 2, rooms[0])
    check_in(reservation_id=reservation.id)
    assert {room.number for room in free_rooms(reservation).free} == {"102", "103"}
    move(reservation, rooms[1])
    nights = [("101", -2, 0, "R1"), ("102", -3, 0, "R0"), ("102", 0, 2, "R1")]
    assert occupied(day) == nights
    # The later changes of the dates concern the new room only.
    reservation = change_dates(reservation_id=reservation.id, arrival=day(-2), departure=day(4))
    assert occupied(day) == [*nights[:2], ("102", 0, 4, "R1")]
    upsert_reservation(
        external_id="R1", arrival=day(-2), departure=day(3), guest_name="Ana Lima", status="checked_in"
    )
    assert occupied(day) == [*nights[:2], ("102", 0, 3, "R1")]
    assert list(reservation_by_number("R1").room_numbers) == ["102"]  # type: ignore[attr-defined]
    # A guest who leaves on the day of the move has no night in the new room.
    check_out(reservation_id=reservation.id)
    assert occupied(day) == nights[:2]


def test_move_of_one_room_of_a_group_keeps_the_other_rooms(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 0, 2, rooms[0], rooms[1])
    check_in(reservation_id=reservation.id)
    second = stays_of(reservation.id, stay_id=reservation.stay_id).get(room=rooms[1])
    move_guest(reservation_id=reservation.id, stay_id=second.id, room=rooms[2])
    assert occupied(day) == [("101", 0, 2, "R1"), ("103", 0, 2, "R1")]
    change_dates(reservation_id=reservation.id, arrival=day(0), departure=day(3))
    assert occupied(day) == [("101", 0, 3, "R1"), ("103", 0, 3, "R1")]


def test_move_to_an_occupied_room_changes_nothing(book_room: BookRoom, rooms: list[int], day: Day) -> None:
    reservation = book_room("R1", 1, 3, rooms[0])
    book_room("R2", 2, 4, rooms[1])
    before = occupied(day)
    with pytest.raises(RoomUnavailable, match="Room 102 has a stay") as error:
        move(reservation, rooms[1])
    assert [room["number"] for room in error.value.extra["alternatives"]] == ["101", "103"][1:]
    assert occupied(day) == before


def test_longer_stay_keeps_the_room_or_is_refused(book_room: BookRoom, rooms: list[int], day: Day) -> None:
    reservation = book_room("R1", 0, 1, rooms[0])
    book_room("R2", 2, 4, rooms[0])
    check_in(reservation_id=reservation.id)
    longer = change_dates(reservation_id=reservation.id, arrival=day(0), departure=day(2))
    assert (longer.departure, occupied(day)[0]) == (day(2), ("101", 0, 2, "R1"))
    with pytest.raises(RoomUnavailable, match="Room 101 has a stay"):
        change_dates(reservation_id=reservation.id, arrival=day(0), departure=day(3))
    reservation.refresh_from_db()
    assert (reservation.departure, occupied(day)[0]) == (day(2), ("101", 0, 2, "R1"))


def test_impossible_new_dates_of_a_stay_are_refused(book_room: BookRoom, rooms: list[int], day: Day) -> None:
    reservation = book_room("R1", 0, 2, rooms[0])

    def change(arrival: int, departure: int) -> None:
        change_dates(reservation_id=reservation.id, arrival=day(arrival), departure=day(departure))

    with pytest.raises(InvalidReservation, match="The arrival date is in the past"):
        change(-1, 2)
    with pytest.raises(InvalidDateRange, match="Check-out must be after check-in"):
        change(2, 2)
    check_in(reservation_id=reservation.id)
    with pytest.raises(InvalidReservation, match="has checked in"):
        change(1, 2)
    assert occupied(day) == [("101", 0, 2, "R1")]
    change(0, 1)  # for comparison, a valid change is accepted
    assert occupied(day) == [("101", 0, 1, "R1")]


def test_change_with_an_outdated_version_is_refused(book_room: BookRoom, rooms: list[int], day: Day) -> None:
    reservation = book_room("R1", 1, 3, rooms[0])
    seen = Reservation.objects.get(id=reservation.id).version
    change_dates(reservation_id=reservation.id, arrival=day(1), departure=day(4), version=seen)
    with pytest.raises(ReservationConflict, match="changed in the meantime"):
        move(reservation, rooms[1], version=seen)
    with pytest.raises(ReservationConflict):
        change_dates(reservation_id=reservation.id, arrival=day(1), departure=day(2), version=seen)
    assert occupied(day) == [("101", 1, 4, "R1")]


def test_reservation_that_has_ended_can_neither_move_nor_change_its_dates(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", -1, 2, rooms[0])
    mark_no_show(reservation_id=reservation.id)
    with pytest.raises(ReservationStateError, match="no-show"):
        move(reservation, rooms[1])
    with pytest.raises(ReservationStateError, match="no-show"):
        change_dates(reservation_id=reservation.id, arrival=day(-1), departure=day(3))


def test_update_of_a_no_show_by_another_system_does_not_occupy_the_room_again(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", -1, 2, rooms[0])
    fields = {"external_id": "R1", "arrival": day(-1), "guest_name": "Ana Lima", "status": "no_show"}
    upsert_reservation(**fields, departure=day(2))  # type: ignore[arg-type]
    assert occupied(day) == [("101", -1, 0, "R1")]
    book_room("R2", 0, 1, rooms[0])
    upsert_reservation(**fields, departure=day(3))  # type: ignore[arg-type]
    assert occupied(day) == [("101", -1, 0, "R1"), ("101", 0, 1, "R2")]
    reservation.refresh_from_db()
    assert reservation.stay_id is not None

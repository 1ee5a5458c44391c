"""Tests of two clerks who work on the same room or the same reservation at the same time."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from locks.errors import RoomUnavailable
from locks.models import Allocation
from reminders.errors import ReservationConflict, ReservationStateError
from reminders.front_desk.arrivals import check_in, mark_no_show
from reminders.front_desk.dates import change_dates
from reminders.front_desk.new_reservations import book_at_front_desk
from reminders.front_desk.rooms import move_guest
from reminders.models import Reservation
from tenants.models import Hotel
from tests.reminders.front_desk.conftest import BookRoom, Day, occupied
from tests.threads import call_at_the_same_time

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
ROUNDS = 5


def at_the_same_time(hotel: Hotel, *calls: Callable[[], Any]) -> list[str]:
    """Call the functions in threads, as different clerks. Return "done" or the name of the error of each call."""

    def outcome(call: Callable[[], Any]) -> str:
        try:
            call()
        except (RoomUnavailable, ReservationConflict, ReservationStateError) as error:
            return type(error).__name__
        return "done"

    return call_at_the_same_time(hotel, *(partial(outcome, call) for call in calls))


def stay_of(reservation: Reservation) -> Allocation:
    return Allocation.objects.get(reservation=reservation)


def test_two_clerks_who_sell_the_same_room_get_one_reservation(
    hotel: Hotel, rooms: list[int], day: Day
) -> None:
    for number in range(ROUNDS):
        sell = partial(
            book_at_front_desk,
            rooms=rooms[:1],
            guest_name="Ana Lima",
            arrival=day(2 * number),
            departure=day(2 * number + 1),
        )
        assert Counter(at_the_same_time(hotel, sell, sell)) == {"done": 1, "RoomUnavailable": 1}
    assert Reservation.objects.count() == ROUNDS
    assert len(occupied(day)) == ROUNDS


def test_two_clerks_who_sell_different_rooms_get_different_numbers(
    hotel: Hotel, rooms: list[int], day: Day
) -> None:
    for number in range(ROUNDS):
        sell = partial(
            book_at_front_desk, arrival=day(number), departure=day(number + 1), guest_name="Ana Lima"
        )
        calls = [partial(sell, rooms=[room]) for room in rooms]
        assert at_the_same_time(hotel, *calls) == ["done"] * len(rooms)
    numbers = set(Reservation.objects.values_list("external_id", flat=True))
    assert numbers == {f"FD-{day(0):%y%m%d}-{count + 1}" for count in range(ROUNDS * len(rooms))}


def test_check_in_and_no_show_at_the_same_time_change_the_status_once(
    hotel: Hotel, book_room: BookRoom, rooms: list[int]
) -> None:
    for number in range(ROUNDS):
        reservation = book_room(f"R{number}", 0, 1, rooms[number % 3])
        calls = [partial(call, reservation_id=reservation.id) for call in (check_in, check_in, mark_no_show)]
        assert Counter(at_the_same_time(hotel, *calls)) == {"done": 1, "ReservationStateError": 2}
        reservation.refresh_from_db()
        has_stay = Allocation.objects.filter(reservation=reservation, status="confirmed").exists()
        assert has_stay == (reservation.status == "checked_in")
        Reservation.objects.all().delete()
        Allocation.objects.all().delete()


def test_second_clerk_with_the_same_page_does_not_overwrite_the_changes_of_the_first_clerk(
    hotel: Hotel, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 1, 2, rooms[0])
    for number in range(ROUNDS):
        reservation.refresh_from_db()
        seen, stay = reservation.version, stay_of(reservation)
        target = rooms[1] if stay.room_id == rooms[0] else rooms[0]
        calls: list[Callable[[], Any]] = [
            partial(
                change_dates, reservation_id=reservation.id, arrival=day(1),
                departure=day(3 + number), version=seen,
            ),
            partial(
                move_guest, reservation_id=reservation.id, stay_id=stay.id, room=target, version=seen
            ),
        ]  # fmt: skip
        assert Counter(at_the_same_time(hotel, *calls)) == {"done": 1, "ReservationConflict": 1}


def test_two_guests_who_move_to_each_others_rooms_cause_no_deadlock(
    hotel: Hotel, book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    first, second = book_room("R1", 1, 3, rooms[0]), book_room("R2", 1, 3, rooms[1])
    calls = [
        partial(move_guest, reservation_id=first.id, stay_id=stay_of(first).id, room=rooms[1]),
        partial(move_guest, reservation_id=second.id, stay_id=stay_of(second).id, room=rooms[0]),
    ]
    assert at_the_same_time(hotel, *calls) == ["RoomUnavailable"] * 2
    assert occupied(day) == [("101", 1, 3, "R1"), ("102", 1, 3, "R2")]

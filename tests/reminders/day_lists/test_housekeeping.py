"""Tests of the housekeeping list."""

from datetime import date

import pytest

from locks import services as rooms
from locks.models import Room
from locks.nights import Nights
from locks.services import NewStay
from reminders.day_lists.housekeeping import RoomOfDay, RoomTask, housekeeping_list
from tests.reminders.day_lists.conftest import DAY, Book

pytestmark = pytest.mark.django_db


def rooms_of(day: date) -> dict[str, RoomOfDay]:
    return {room.number: room for floor in housekeeping_list(day=day).floors for room in floor.rooms}


def test_each_room_has_the_task_that_its_stays_require(day: date, book_room: Book) -> None:
    book_room("R1", -2, 0, room="101", adults=2, status="checked_out")
    book_room("R2", 0, 3, room="101", adults=1, children=2)
    book_room("R3", -2, 0, room="102")
    book_room("R4", -1, 1, room="103", adults=3)
    book_room("R5", 0, 1, room="104")
    free, closed, expected = (
        Room.objects.create(number=number, room_type="Double", floor=1) for number in ("105", "106", "107")
    )
    rooms.close_room(room=closed.id, nights=Nights(day, day + 4 * DAY), reason="Paint")
    # A hold is not a stay: no guest arrives unless the hold is confirmed.
    rooms.acquire_hold(rooms=[expected.id], nights=Nights(day, day + DAY))
    tasks = {number: room.task for number, room in rooms_of(day).items()}
    assert tasks == {
        "101": RoomTask.TURNOVER,
        "102": RoomTask.DEPARTURE,
        "103": RoomTask.STAY_OVER,
        "104": RoomTask.ARRIVAL,
        free.number: RoomTask.FREE,
        closed.number: RoomTask.CLOSED,
        expected.number: RoomTask.FREE,
    }
    turnover, stay_over, closed_room = (rooms_of(day)[number] for number in ("101", "103", "106"))
    assert (turnover.people, turnover.arriving_people, turnover.has_left) == (2, 3, True)
    assert turnover.until == day + 3 * DAY
    assert (stay_over.people, stay_over.arriving_people, stay_over.has_left) == (3, None, False)
    assert (closed_room.reason, closed_room.until) == ("Paint", day + 4 * DAY)
    assert dict(housekeeping_list(day=day).counts)[RoomTask.FREE] == 2


def test_list_of_another_day_shows_the_tasks_of_that_day(day: date, book_room: Book) -> None:
    book_room("R1", -1, 1, room="101")
    tasks = [rooms_of(day + offset * DAY)["101"].task for offset in (-2, -1, 0, 1, 2)]
    assert tasks == [RoomTask.FREE, RoomTask.ARRIVAL, RoomTask.STAY_OVER, RoomTask.DEPARTURE, RoomTask.FREE]


def test_rooms_are_sorted_by_floor_and_number(day: date) -> None:
    for number, floor in (("1001", 10), ("202", 2), ("99", 1), ("101", 1), ("Villa", None)):
        Room.objects.create(number=number, room_type="Double", floor=floor)
    floors = housekeeping_list(day=day).floors
    assert [(floor.number, [room.number for room in floor.rooms]) for floor in floors] == [
        (1, ["99", "101"]),
        (2, ["202"]),
        (10, ["1001"]),
        (None, ["Villa"]),
    ]


def test_guests_of_a_reservation_with_several_rooms_are_not_counted_for_one_room(
    day: date, book_room: Book
) -> None:
    group = book_room("R1", -1, 1, room="101", adults=4, additional_room_types=["Double"])
    other = Room.objects.create(number="102", room_type="Double", floor=1)
    rooms.add_stays([NewStay(room=other.id, check_in=day - DAY, check_out=day + DAY, group_id=group.id)])
    assert [room.people for room in rooms_of(day).values()] == [None, None]
    assert {room.task for room in rooms_of(day).values()} == {RoomTask.STAY_OVER}

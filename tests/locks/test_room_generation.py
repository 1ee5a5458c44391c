"""Tests of the page that generates rooms from the number of floors and of rooms per floor."""

from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from locks import events
from locks.allocations.room_plan import MAX_ROOMS, NumberPattern, RoomPlan
from locks.errors import InvalidRoomPlan
from locks.models import Room
from locks.services import NewRoom, add_rooms, create_room
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.threads import call_at_the_same_time

pytestmark = pytest.mark.django_db
URL = "/admin/locks/room/generate/"
FORM = {
    "room_type": "Double",
    "capacity": "2",
    "first_floor": "1",
    "last_floor": "2",
    "rooms_per_floor": "3",
    "pattern": "two_digits",
    "number_prefix": "",
    "skipped": "",
}


def plan(**changes: Any) -> RoomPlan:
    values: dict[str, Any] = {
        "first_floor": 1,
        "last_floor": 2,
        "rooms_per_floor": 2,
        "pattern": NumberPattern.TWO_DIGITS,
        "room_type": "Double",
    }
    return RoomPlan(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        ({}, ["101", "102", "201", "202"]),
        ({"first_floor": 0, "last_floor": 0}, ["001", "002"]),
        ({"pattern": NumberPattern.THREE_DIGITS}, ["1001", "1002", "2001", "2002"]),
        ({"pattern": NumberPattern.ONE_DIGIT}, ["11", "12", "21", "22"]),
        ({"pattern": NumberPattern.HYPHEN}, ["1-1", "1-2", "2-1", "2-2"]),
        ({"pattern": NumberPattern.LETTER}, ["1A", "1B", "2A", "2B"]),
        ({"pattern": NumberPattern.RUNNING, "first_floor": 3, "last_floor": 4}, ["1", "2", "3", "4"]),
        ({"prefix": "B", "skipped": frozenset({"B102"})}, ["B101", "B201", "B202"]),
    ],
)
def test_room_numbers_of_a_plan_follow_its_number_pattern(
    changes: dict[str, Any], numbers: list[str]
) -> None:
    assert [room.number for room in plan(**changes).rooms()] == numbers


def test_rooms_of_a_plan_have_its_floors_type_and_capacity() -> None:
    rooms = plan(room_type="Suite", capacity=4).rooms()
    assert [room.floor for room in rooms] == [1, 1, 2, 2]
    assert {(room.room_type, room.capacity) for room in rooms} == {("Suite", 4)}


@pytest.mark.parametrize("pattern", list(NumberPattern))
def test_largest_plan_of_each_pattern_has_no_number_twice(pattern: NumberPattern) -> None:
    limit = next(n for n in range(MAX_ROOMS, 0, -1) if _is_allowed(rooms_per_floor=n, pattern=pattern))
    last_floor = MAX_ROOMS // limit
    numbers = [
        room.number for room in plan(rooms_per_floor=limit, last_floor=last_floor, pattern=pattern).rooms()
    ]
    assert len(set(numbers)) == len(numbers) == limit * last_floor


def _is_allowed(**changes: Any) -> bool:
    try:
        plan(last_floor=1, **changes).rooms()
    except InvalidRoomPlan:
        return False
    return True


@pytest.mark.parametrize(
    "changes",
    [
        {"last_floor": 0},
        {"rooms_per_floor": 100},
        {"rooms_per_floor": 27, "pattern": NumberPattern.LETTER},
        {"last_floor": 100, "rooms_per_floor": 21},
    ],
)
def test_room_plan_that_cannot_be_generated_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRoomPlan):
        plan(**changes).rooms()


def test_preview_lists_the_rooms_and_saves_nothing(staff: Client, in_hotel: Hotel) -> None:
    create_room(NewRoom(number="102", room_type="Suite"))
    content = staff.get(URL, FORM).content.decode()
    assert "5 new rooms" in content
    assert "1 room exists already and is not changed." in content
    assert content.count('class="gr-present"') == 1
    assert list(Room.objects.values_list("number", flat=True)) == ["102"]


def test_preview_of_generated_rooms_needs_no_room_type(staff: Client, in_hotel: Hotel) -> None:
    assert "6 new rooms" in staff.get(URL, {**FORM, "room_type": ""}).content.decode()
    response = staff.post(URL, {**FORM, "room_type": ""})
    assert "This field is required." in response.content.decode()
    assert not Room.objects.exists()


def test_creating_rooms_keeps_existing_rooms_and_records_one_event(staff: Client, in_hotel: Hotel) -> None:
    create_room(NewRoom(number="102", room_type="Suite"))
    response = staff.post(URL, {**FORM, "skipped": "203, 999"}, follow=True)
    assert "4 rooms were created." in response.content.decode()
    assert sorted(Room.objects.values_list("number", "room_type", "floor")) == [
        ("101", "Double", 1),
        ("102", "Suite", None),
        ("103", "Double", 1),
        ("201", "Double", 2),
        ("202", "Double", 2),
    ]
    assert Event.objects.filter(event=events.ROOMS_ADDED.name).count() == 1
    again = staff.post(URL, {**FORM, "skipped": "203"}, follow=True)
    assert "0 rooms were created." in again.content.decode()


def test_plan_with_an_error_creates_no_rooms(staff: Client, in_hotel: Hotel) -> None:
    response = staff.post(URL, {**FORM, "last_floor": "0"})
    assert "The last floor must not be below the first floor." in response.content.decode()
    assert not Room.objects.exists()


def test_front_desk_cannot_generate_rooms(staff: Client, in_hotel: Hotel) -> None:
    User.objects.update(role=Role.FRONT_DESK)
    assert staff.get(URL).status_code == 403
    assert staff.post(URL, {**FORM}).status_code == 403
    assert not Room.objects.exists()
    User.objects.update(role=Role.MANAGER)  # For comparison, a manager can generate rooms.
    assert staff.post(URL, {**FORM}).status_code == 302
    assert Room.objects.count() == 6


def test_empty_room_list_and_board_lead_to_the_generation_of_rooms(staff: Client, in_hotel: Hotel) -> None:
    link = f'href="{URL}"'
    assert link in staff.get("/admin/locks/room/").content.decode().partition('id="changelist-form"')[2]
    board = "/admin/locks/room/board/"
    assert link in staff.get(board).content.decode()
    User.objects.update(role=Role.FRONT_DESK)
    assert "Ask a manager to add the rooms" in staff.get(board).content.decode()
    create_room(NewRoom(number="101", room_type="Double"))
    filtered = staff.get(f"{board}?type=Suite").content.decode()
    assert "No rooms match these filters." in filtered
    assert link not in filtered


@pytest.mark.django_db(transaction=True)
def test_two_clerks_who_generate_the_same_rooms_create_each_room_once(hotel: Hotel) -> None:
    def generate() -> int:
        return len(add_rooms(plan(last_floor=9, rooms_per_floor=50).rooms()))

    assert sorted(call_at_the_same_time(hotel, generate, generate)) == [0, 450]
    with hotel_context(hotel):
        assert Room.objects.count() == 450

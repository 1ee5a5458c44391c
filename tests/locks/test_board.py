"""The room board, and rooms in the admin."""

import datetime
import time

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from locks import services
from locks.board.grid import read_grid
from locks.models import Room
from tenants.models import Hotel, User
from tests.locks.conftest import SomeNights
from tests.locks.helpers import events_of, fill_200_rooms, lapse

pytestmark = pytest.mark.django_db

BOARD = "/admin/locks/room/board/"


def test_it_shows_what_has_each_room_and_cuts_it_to_the_nights_shown(
    rooms: list[int], nights: SomeNights, today: datetime.date
) -> None:
    services.acquire_hold(rooms=rooms[:1], nights=nights(0, 3))
    services.close_room(room=rooms[1], nights=nights(5, 30), reason="paint")
    shown = read_grid(first=nights(1).check_in, nights=10)
    [held] = shown.rows[0].bars
    assert (held.first, held.length, held.starts_before, held.ends_after) == (1, 2, True, False)
    [closed] = shown.rows[1].bars
    assert (closed.first, closed.length, closed.starts_before, closed.ends_after) == (5, 6, False, True)
    assert shown.rows[2].bars == []


def test_what_has_lapsed_is_not_on_it(rooms: list[int], nights: SomeNights) -> None:
    lapse(services.acquire_hold(rooms=rooms[:1], nights=nights(1)).id)
    assert read_grid(first=nights(0).check_in, nights=7).rows[0].bars == []


def test_it_is_filtered_by_type_and_floor(in_hotel: Hotel, today: datetime.date) -> None:
    services.add_rooms(
        [
            services.NewRoom(number="101", room_type="double", floor=1),
            services.NewRoom(number="201", room_type="double", floor=2),
            services.NewRoom(number="202", room_type="suite", floor=2),
        ]
    )
    shown = read_grid(first=today, nights=7, room_type="double", floor=2)
    assert [row.number for row in shown.rows] == ["201"]
    assert (shown.types, shown.floors) == (["double", "suite"], [1, 2])


def test_the_page_of_200_rooms_and_60_nights_comes_within_a_second(
    staff: Client, in_hotel: Hotel, today: datetime.date
) -> None:
    fill_200_rooms(today)
    staff.get(BOARD)
    start = time.process_time()  # the machine may be at other work too
    with CaptureQueriesContext(connection) as queries:
        page = staff.get(BOARD, {"nights": 60})
    seconds = time.process_time() - start
    assert page.status_code == 200
    assert page.content.count(b"hb-stay") == 200 * 20
    assert sum("locks_" in query["sql"] for query in queries) == 2
    assert seconds < 1, f"{seconds:.2f} s"


def test_nonsense_in_the_address_shows_the_board_as_if_it_were_not_there(
    staff: Client, rooms: list[int]
) -> None:
    assert staff.get(BOARD, {"first": "x", "nights": "9999", "floor": "y"}).status_code == 200


def test_a_room_made_in_the_admin_is_told_to_the_trail_once(staff: Client, in_hotel: Hotel) -> None:
    form = {"number": "7A", "room_type": "suite", "floor": "7", "capacity": "2"}
    assert staff.post("/admin/locks/room/add/", form).status_code == 302
    room = Room.objects.get(number="7A")
    assert staff.post(f"/admin/locks/room/{room.pk}/change/", {**form, "capacity": "3"}).status_code == 302
    room.refresh_from_db()
    assert room.capacity == 3
    assert len(events_of("room.created")) == 1
    [changed] = events_of("room.changed")
    assert changed.data["changes"] == {"capacity": 3}


@pytest.mark.parametrize("page", ["room/board/", "room/", "room/add/", "allocation/"])
def test_the_pages_open(staff: Client, rooms: list[int], nights: SomeNights, page: str) -> None:
    services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    assert staff.get(f"/admin/locks/{page}").status_code == 200


def test_staff_cancel_a_stay_that_a_client_made(staff: Client, rooms: list[int], nights: SomeNights) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    address = f"/api/v1/locks/{hold.id}/cancel/"
    assert staff.post(address, {}, "application/json").json()["status"] == "cancelled"
    assert staff.post(address, {}, "application/json").json()["type"] == "/problems/allocation-state-error"


def test_a_refusal_speaks_the_clerks_language(staff: Client, rooms: list[int], nights: SomeNights) -> None:
    services.acquire_hold(rooms=rooms[:1], nights=nights(1, 2))
    User.objects.update(language="es")
    wanted = {"rooms": rooms[:1], "check_in": str(nights(1).check_in), "check_out": str(nights(1).check_out)}
    refused = staff.post("/api/v1/locks/", wanted, "application/json").json()
    assert refused["detail"].startswith("La habitación 101 está bloqueada del ")
    assert refused["title"] == "La habitación no está disponible en estas fechas"

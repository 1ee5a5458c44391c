"""Tests of the page with the occupancy of a month."""

import datetime
import re
import time
from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from locks import services
from locks.board.month import Day, read_month
from locks.nights import Nights
from locks.services import NewStay
from tenants.models import Hotel, User
from tests.browser import PHONE, OpenPage, fits_width, screenshot
from tests.locks.conftest import SomeNights
from tests.locks.helpers import expire

pytestmark = pytest.mark.django_db

MONTH = "/admin/locks/room/month/"
DAY = datetime.timedelta(days=1)
MONDAY, SUNDAY = 1, 0
#: The maximum processor time in seconds for a month of 500 rooms.
MAX_SECONDS = 0.5


def days_of(month: date) -> dict[date, Day]:
    return {day.date: day for week in read_month(month=month, first_weekday=MONDAY) for day in week}


def test_each_day_has_its_occupied_rooms_arrivals_and_departures(in_hotel: Hotel) -> None:
    ids = services.ensure_rooms({"double": 4})["double"]
    stays = [(0, date(2026, 2, 27), date(2026, 3, 2)), (1, date(2026, 3, 2), date(2026, 3, 4)),
             (2, date(2026, 3, 1), date(2026, 3, 2))]  # fmt: skip
    services.add_stays(
        [NewStay(room=ids[room], check_in=first, check_out=last) for room, first, last in stays]
    )
    days = days_of(date(2026, 3, 15))
    counts = {
        day.date: (day.occupied, day.arrivals, day.departures)
        for day in days.values()
        if day.occupied or day.arrivals or day.departures
    }
    assert counts == {
        date(2026, 2, 27): (1, 1, 0),
        date(2026, 2, 28): (1, 0, 0),
        date(2026, 3, 1): (2, 1, 0),
        date(2026, 3, 2): (1, 1, 2),
        date(2026, 3, 3): (1, 0, 0),
        date(2026, 3, 4): (0, 0, 1),
    }
    assert (days[date(2026, 3, 1)].rooms, days[date(2026, 3, 1)].share) == (4, 50)


def test_active_holds_are_occupied_and_closed_rooms_reduce_the_rooms_for_sale(
    rooms: list[int], nights: SomeNights
) -> None:
    night = nights(2)
    held = services.acquire_hold(rooms=rooms[:1], nights=night)
    services.close_room(room=rooms[1], nights=night, reason="Paint")
    day = days_of(night.check_in)[night.check_in]
    for_sale = len(rooms) - 1
    assert (day.occupied, day.held, day.closed, day.arrivals) == (1, 1, 1, 0)
    assert day.share == 100 // for_sale
    expire(held.id)
    assert days_of(night.check_in)[night.check_in].occupied == 0


def test_hotel_whose_rooms_are_all_closed_is_full(rooms: list[int], nights: SomeNights) -> None:
    for room in rooms:
        services.close_room(room=room, nights=nights(2), reason="Winter")
    assert days_of(nights(2).check_in)[nights(2).check_in].share == 100


@pytest.mark.parametrize(
    ("month", "first_weekday", "expected"),
    [
        (date(2026, 2, 10), SUNDAY, (date(2026, 2, 1), date(2026, 2, 28), 4)),
        (date(2026, 2, 10), MONDAY, (date(2026, 1, 26), date(2026, 3, 1), 5)),
        (date(2026, 8, 31), MONDAY, (date(2026, 7, 27), date(2026, 9, 6), 6)),
        (date(2026, 12, 1), MONDAY, (date(2026, 11, 30), date(2027, 1, 3), 5)),
    ],
)
def test_month_is_divided_into_complete_weeks(
    in_hotel: Hotel, month: date, first_weekday: int, expected: tuple[date, date, int]
) -> None:
    read = read_month(month=month, first_weekday=first_weekday)
    assert (read[0][0].date, read[-1][-1].date, len(read)) == expected
    assert {len(week) for week in read} == {7}


def test_month_of_500_rooms_is_read_with_two_queries_and_fast(
    in_hotel: Hotel, today: date, staff: Client
) -> None:
    ids = services.ensure_rooms({"double": 500})["double"]
    first = today.replace(day=1) - 10 * DAY
    services.add_stays(
        [
            NewStay(room=room, check_in=first + 3 * n * DAY, check_out=first + (3 * n + 3) * DAY)
            for room in ids
            for n in range(17)
        ]
    )
    with CaptureQueriesContext(connection) as queries:
        days = days_of(today)
    assert len([query for query in queries if "locks_" in query["sql"]]) == 2
    assert {day.occupied for day in days.values()} == {500}
    staff.get(MONTH)
    start = time.process_time()
    content = staff.get(MONTH).content.decode()
    seconds = time.process_time() - start
    assert "500<span>/500</span>" in content
    assert seconds < MAX_SECONDS, seconds


def test_page_links_each_day_to_the_board_and_has_links_to_the_next_months(
    staff: Client, rooms: list[int]
) -> None:
    content = staff.get(f"{MONTH}?month=2026-12-01").content.decode()
    assert "/admin/locks/room/board/?first=2026-12-24" in content
    assert re.findall(r'href="\?month=([^"]*)"', content) == ["2026-11-01", "2027-01-01"]
    for invalid in ("x", "0001-01-01", "9999-12-31", "2026-13-01"):
        assert staff.get(f"{MONTH}?month={invalid}").status_code == 200


def test_user_without_the_scope_cannot_open_the_occupancy_of_a_month(staff: Client, in_hotel: Hotel) -> None:
    assert staff.get(MONTH).status_code == 200
    User.objects.update(role="unknown")
    assert staff.get(MONTH).status_code == 403


@pytest.mark.browser
@pytest.mark.timeout(180)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locale", ["en-GB", "es-ES"])
def test_month_fits_a_phone_and_opens_the_board_on_the_chosen_day(
    in_hotel: Hotel, today: date, open_as_manager: OpenPage, locale: str
) -> None:
    ids = services.ensure_rooms({"double": 60})["double"]
    first = today.replace(day=1)
    services.add_stays(
        [
            NewStay(
                room=room,
                check_in=first + (5 * n + index % 3) * DAY,
                check_out=first + (5 * n + 2 * (index % 3) + 2) * DAY,
            )
            for index, room in enumerate(ids)
            for n in range(8)
            if index < 60 - 8 * n  # The last weeks of the example have fewer stays.
        ]
    )
    services.close_room(room=ids[0], nights=Nights(first + 40 * DAY, first + 42 * DAY), reason="Paint")
    with open_as_manager(MONTH, locale=locale, **PHONE) as page:
        assert fits_width(page)
        screenshot(page, f"month-phone-{locale}")
    with open_as_manager(MONTH, locale=locale) as page:
        screenshot(page, f"month-{locale}")
        page.locator(".om-month td[aria-current] a").click()
        assert page.url.endswith(f"/admin/locks/room/board/?first={today.isoformat()}")

"""Tests of the start page with the guests of today, and of the lists for printing."""

import re
import time
from datetime import date

import pytest
from django.test import Client

from audit.models import Event
from locks.models import Room
from reminders.models import Reservation
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.browser import PHONE, OpenPage, fits_width, screenshot
from tests.reminders.day_lists.conftest import DAY, Book

pytestmark = pytest.mark.django_db

ARRIVALS = "/admin/reminders/reservation/arrivals/"
HOUSEKEEPING = "/admin/reminders/reservation/housekeeping/"
#: The maximum processor time in seconds for the start page with 1,000 arrivals.
MAX_SECONDS = 3.0


def text(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return response.content.decode()


def read_ids() -> list[set[str]]:
    """Return the record ids of each audit event that reports a read of personal data."""
    events = Event.objects.filter(event="personal_data.read").order_by("id")
    return [
        {identifier for _kind, identifier in event.data.get("targets", [])} or {event.subject_id}
        for event in events
    ]


def test_start_page_shows_the_arrivals_of_today_and_links_to_guests_in_house_and_departures(
    staff: Client, book_room: Book
) -> None:
    arriving, leaving = book_room("R1", 0, 2, room="101"), book_room("R2", -1, 0, room="102")
    page = text(staff, "/admin/")
    assert f"/admin/reminders/reservation/{arriving.id}/change/" in page
    assert f"/admin/reminders/reservation/{leaving.id}/change/" not in page
    assert f"/admin/reminders/reservation/{leaving.id}/change/" in text(staff, "/admin/?list=departures")
    assert "No guests are in house." in text(staff, "/admin/?list=in_house")
    assert f"/admin/reminders/reservation/{arriving.id}/change/" in text(staff, "/admin/?list=unknown")


def test_start_page_lists_every_arrival_of_a_day_with_1000_arrivals_quickly(
    staff: Client, day: date, in_hotel: Hotel
) -> None:
    Reservation.objects.bulk_create(
        Reservation(
            external_id=f"R{number:04}", arrival=day, departure=day + DAY, guest_name=f"Guest {number:04}"
        )
        for number in range(1000)
    )
    staff.get("/admin/")
    start = time.process_time()
    page = text(staff, "/admin/")
    seconds = time.process_time() - start
    assert len(set(re.findall(r"Guest \d{4}", page))) == 1000
    assert seconds < MAX_SECONDS, seconds


def test_pages_record_the_guests_whose_names_they_show(staff: Client, book_room: Book) -> None:
    arriving, leaving = book_room("R1", 0, 2, room="101"), book_room("R2", -1, 0, room="102")
    staff.get("/admin/")
    staff.get("/admin/?list=departures")
    staff.get(ARRIVALS)
    assert read_ids() == [{str(arriving.id)}, {str(leaving.id)}, {str(arriving.id)}]


def test_start_page_offers_the_action_that_is_next_for_each_guest(staff: Client, book_room: Book) -> None:
    arriving = book_room("R1", 0, 2, room="101")
    without_room = book_room("R2", 0, 2)
    leaving = book_room("R3", -2, 0, room="103", status="checked_in")
    arrivals, departures = text(staff, "/admin/"), text(staff, "/admin/?list=departures")
    url = "/admin/reminders/reservation/{}/{}/".format
    assert f'method="post" action="{url(arriving.id, "check-in")}"' in arrivals
    assert f'href="{url(without_room.id, "assign-room")}?next=%2Fadmin%2F"' in arrivals
    assert f'method="post" action="{url(leaving.id, "check-out")}"' in departures
    assert 'value="/admin/?list=departures"' in departures
    # The printed list has no buttons, and an auditor sees none, because an auditor may not change reservations.
    assert "ha-acts" not in text(staff, ARRIVALS)
    User.objects.update(role=Role.AUDITOR)
    assert "ha-acts" not in text(staff, "/admin/")


def test_housekeeping_list_shows_no_names_and_so_records_no_read_of_personal_data(
    staff: Client, book_room: Book
) -> None:
    book_room("R1", 0, 2, room="101", guest_name="Ana Lima")
    page = text(staff, HOUSEKEEPING)
    assert "Arrival" in page
    assert "Ana Lima" not in page
    assert read_ids() == []
    assert "Ana Lima" in text(staff, ARRIVALS)


def test_lists_show_the_requested_day_or_else_today(staff: Client, day: date, book_room: Book) -> None:
    book_room("R1", 0, 1, guest_name="Guest of today")
    book_room("R2", 1, 2, guest_name="Guest of tomorrow")
    assert "Guest of tomorrow" in text(staff, f"{ARRIVALS}?day={day + DAY}")
    assert "Guest of today" not in text(staff, f"{ARRIVALS}?day={day + DAY}")
    for invalid in ("x", "0001-01-01", "9999-12-31"):
        assert "Guest of today" in text(staff, f"{ARRIVALS}?day={invalid}")
        assert staff.get(f"{HOUSEKEEPING}?day={invalid}").status_code == 200


def test_user_without_the_scope_cannot_open_the_lists(staff: Client, in_hotel: Hotel) -> None:
    for role, status in ((Role.FRONT_DESK, 200), (Role.PLATFORM, 403)):
        User.objects.update(role=role)
        assert [staff.get(path).status_code for path in (ARRIVALS, HOUSEKEEPING)] == [status, status]


@pytest.fixture
def busy_day(book_room: Book) -> None:
    """Store arrivals, guests in house and departures, in rooms on five floors."""
    for floor in range(1, 6):
        for number in range(1, 21):
            room = f"{floor}{number:02}"
            kind = number % 5
            guest = {"guest_name": f"Guest with a name {room}", "adults": 1 + number % 3}
            if kind == 0:
                book_room(
                    f"D{room}", -2, 0, room=room, status="checked_out" if floor > 2 else "checked_in", **guest
                )
            if kind in {0, 1}:
                status = "booked" if floor > 1 else "checked_in"
                book_room(f"A{room}", 0, 3, room=room, room_type="Suite", status=status, **guest)
            if kind == 2:
                book_room(f"S{room}", -1, 2, room=room, status="checked_in", **guest)
            if kind > 2:
                Room.objects.create(number=room, room_type="Double", floor=floor)
    book_room("A-without-room", 0, 1, guest_name="Zoe Without Room", children=1)


browser_test = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.django_db(transaction=True),
]


class TestInBrowser:
    pytestmark = browser_test

    @pytest.mark.parametrize("locale", ["en-GB", "es-ES"])
    def test_start_page_and_lists_fit_the_screen_of_a_phone(
        self, busy_day: None, open_as_manager: OpenPage, locale: str
    ) -> None:
        paths = {"today": "/admin/", "arrivals": ARRIVALS, "housekeeping": HOUSEKEEPING}
        with open_as_manager("/admin/", locale=locale) as page:
            for name, path in paths.items():
                page.goto(path)
                screenshot(page, f"{name}-{locale}")
        with open_as_manager("/admin/", locale=locale, **PHONE) as page:
            for name, path in paths.items():
                page.goto(path)
                assert fits_width(page)
                screenshot(page, f"{name}-phone-{locale}")

    @pytest.mark.parametrize("path", [ARRIVALS, HOUSEKEEPING])
    def test_printed_list_contains_no_menu_and_repeats_its_head_on_each_page(
        self, busy_day: None, open_as_manager: OpenPage, path: str
    ) -> None:
        with open_as_manager(path, color_scheme="dark") as page:
            page.emulate_media(media="print")
            assert not page.locator("#nav-sidebar").is_visible()
            assert not page.locator(".dl-print").is_visible()
            assert page.locator(".dl-title").is_visible()
            style = "element => getComputedStyle(element).color"
            assert page.locator(".dl-table td").first.evaluate(style) == "rgb(0, 0, 0)"
            assert (
                page.locator("thead").evaluate("element => getComputedStyle(element).display")
                == "table-header-group"
            )
            pdf = page.pdf(format="A4")
            page.emulate_media(media="screen")
            assert not page.locator(".dl-title").is_visible()
        assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page/") >= 2

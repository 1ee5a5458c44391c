"""Browser tests of the front desk: a walk-in from the room board to the check-out, and the pages on a phone."""

import pytest
from playwright.sync_api import Page, expect

from reminders.models import Reservation
from tenants.models import User
from tests.browser import PHONE, OpenPage, fits_width, screenshot
from tests.reminders.front_desk.conftest import BookRoom, Day, occupied

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
BOARD = "/admin/locks/room/board/"
NEW = "/admin/reminders/reservation/add/"


def open_stay(page: Page, room: str) -> None:
    """Open the panel of the stay in a room on the board, and wait until the actions are loaded."""
    page.locator(f".hb-row[data-number='{room}'] .hb-stay").click()
    page.locator("#board-panel .ha-summary").wait_for()


def test_walk_in_is_booked_on_the_board_checked_in_moved_extended_and_checked_out(
    rooms: list[int], day: Day, open_as_manager: OpenPage
) -> None:
    with open_as_manager(BOARD) as page:
        # The second column of the room board is today. The bar of a stay begins in the middle of the column of its
        # first day.
        first = page.locator(".hb-day").nth(1).bounding_box()
        row = page.locator(".hb-row[data-number='101']").bounding_box()
        assert first is not None
        assert row is not None
        page.mouse.click(first["x"] + first["width"], row["y"] + row["height"] / 2)
        screenshot(page, "board-free-night")
        page.click("[data-booking]")
        expect(page.locator(f"[name=room][value='{rooms[0]}']")).to_be_checked()
        page.fill("[name=guest_name]", "Eva Sanz")
        page.fill("[name=guest_email]", "eva@example.com")
        page.fill("[name=departure]", day(3).isoformat())
        page.click("[name=find]")  # the form still contains the guest's name
        expect(page.locator("[name=guest_name]")).to_have_value("Eva Sanz")
        screenshot(page, "new-reservation")
        page.click("[name=save]")
        page.get_by_text("The reservation of Eva Sanz was saved.").wait_for()
        screenshot(page, "reservation")
        page.goto(BOARD)
        open_stay(page, "101")
        screenshot(page, "board-panel")
        page.get_by_role("button", name="Check in").click()
        page.get_by_text("Eva Sanz has checked in.").wait_for()
        assert page.url.endswith(BOARD)
        open_stay(page, "101")
        page.get_by_role("link", name="Move to another room").click()
        page.locator(f"[name=room][value='{rooms[1]}']").check()
        screenshot(page, "move")
        page.get_by_role("button", name="Move to another room").click()
        page.get_by_text("Eva Sanz was moved to another room.").wait_for()
        open_stay(page, "102")
        page.get_by_role("link", name="Change dates").click()
        page.fill("[name=departure]", day(5).isoformat())
        screenshot(page, "dates")
        page.get_by_role("button", name="Change dates").click()
        page.get_by_text("The dates were changed.").wait_for()
        number = Reservation.objects.get().external_id
        assert occupied(day) == [("102", 0, 5, number)]
        open_stay(page, "102")
        page.get_by_role("link", name="Check out").click()
        screenshot(page, "check-out")
        page.get_by_role("button", name="Check out").click()
        page.get_by_text("Eva Sanz has checked out.").wait_for()
        expect(page.locator(".hb-stay")).to_have_count(0)
    assert Reservation.objects.get().status == "checked_out"


@pytest.mark.parametrize("language", ["en", "es"])
def test_front_desk_pages_fit_on_a_phone(
    book_room: BookRoom, rooms: list[int], open_as_manager: OpenPage, language: str
) -> None:
    User.objects.update(language=language)
    reservation = book_room("R1", 0, 2, rooms[0], guest_name="María del Carmen Fernández de la Torre")
    book_room("R2", 2, 3, rooms[1])
    url = f"/admin/reminders/reservation/{reservation.pk}/"
    pages = {
        "new": NEW,
        "change": f"{url}change/",
        "move": f"{url}move/",
        "dates": f"{url}dates/",
        "check-out": f"{url}no-show/",
        "stays": "/admin/locks/allocation/",
        "stay": f"/admin/locks/allocation/{reservation.stay_id}/change/",
    }
    with open_as_manager(NEW, **PHONE) as page:
        for name, path in pages.items():
            page.goto(path)
            screenshot(page, f"phone-{language}-{name}")
            assert fits_width(page), name
        page.goto(BOARD)
        open_stay(page, "101")
        screenshot(page, f"phone-{language}-panel")
        assert fits_width(page)

"""Browser tests of the room board with mouse and keyboard."""

import datetime
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from locks import services
from locks.models import Allocation
from tenants.models import Hotel
from tests.browser import OpenPage, screenshot
from tests.locks.conftest import SomeNights
from tests.locks.helpers import fill_200_rooms

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


@pytest.fixture
def page(open_as_manager: OpenPage) -> Iterator[Page]:
    """The room board, opened in a browser by a signed-in user."""
    with open_as_manager("/admin/locks/room/board/") as page:
        yield page
        screenshot(page, "board")


def test_clicks_on_the_board_hold_a_free_room_and_confirm_the_hold(rooms: list[int], page: Page) -> None:
    row = page.locator(".hb-row[data-number='102']")
    row.click(position={"x": 400, "y": 15})
    page.fill("[name=reference]", "Walk-in")
    page.click("[data-action=hold]")
    bar = row.locator(".hb-stay")
    bar.wait_for()
    assert "Walk-in" in bar.inner_text()
    assert ":" in bar.locator("time").inner_text()
    bar.click()
    page.click("[data-action=confirm]")
    row.locator(".hb-confirmed").wait_for()
    assert Allocation.objects.get().status == "confirmed"


def test_room_can_be_closed_with_the_keyboard_only(rooms: list[int], nights: SomeNights, page: Page) -> None:
    page.focus("#board")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.fill("[name=reason]", "paint")
    page.focus("[data-action=close]")
    page.keyboard.press("Enter")
    page.locator(".hb-row[data-number='102'] .hb-closed").wait_for()
    stay = Allocation.objects.get()
    assert (stay.check_in, stay.reason) == (nights(2).check_in, "paint")


def test_hold_of_an_occupied_room_shows_the_error_in_the_board_dialog(
    rooms: list[int], nights: SomeNights, page: Page
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(2, 2))
    page.reload()
    page.locator(".hb-row[data-number='101'] .hb-stay").click()
    page.fill("[name=reason]", "guest called")
    page.click("[data-action=force-release]")
    page.locator("#board-dialog").wait_for(state="hidden")
    assert Allocation.objects.get(id=hold.id).status == "released"
    expect(page.locator("#board-status")).to_have_text("The hold was released.")  # the board was refreshed
    page.locator(".hb-row[data-number='101']").click(position={"x": 9 * 16 + 3 * 52 + 32, "y": 15})
    # Hold the room while the dialog is open. The board is not refreshed during this time, so it does not show the hold.
    services.acquire_hold(rooms=rooms[:1], nights=nights(2, 2))
    page.click("[data-action=hold]")
    expect(page.locator(".hb-error")).to_contain_text("Room 101 is held")


def test_board_of_200_rooms_and_60_nights_is_drawn_within_two_seconds(
    in_hotel: Hotel, today: datetime.date, page: Page
) -> None:
    """The test measures the CPU time of the browser. `test_board` measures the time of the server."""
    fill_200_rooms(today)
    browser = page.context.new_cdp_session(page)
    browser.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(f"{page.url}?nights=60")
    page.locator(".hb-mark").first.wait_for(state="attached")  # the script of the board adds this element
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    metrics = browser.send("Performance.getMetrics")["metrics"]
    [seconds] = [metric["value"] for metric in metrics if metric["name"] == "TaskDuration"]
    assert page.locator(".hb-stay").count() == 200 * 20
    assert seconds < 2, f"{seconds:.2f} s"


def test_cursor_stays_visible_and_focus_returns_to_the_board_after_the_dialog(
    in_hotel: Hotel, page: Page
) -> None:
    services.ensure_rooms({"double": 60})
    page.reload()
    page.focus("#board")
    for key in ("PageDown", "PageDown", "PageDown", "PageUp", "PageUp"):
        page.keyboard.press(key)
    cursor = page.locator(".hb-cursor")
    expect(cursor).to_be_visible()
    head, box = page.locator(".hb-head").bounding_box(), cursor.bounding_box()
    assert head is not None
    assert box is not None
    assert box["y"] >= head["y"] + head["height"]  # the sticky header does not hide the cursor
    page.keyboard.press("Enter")
    expect(page.locator("#board-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#board")).to_be_focused()
    expect(cursor).to_be_visible()
    page.keyboard.press("Tab")
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    page.focus(".hb-bar [name=nights]")
    page.keyboard.press("Tab")
    assert (
        page.evaluate(outline) != "none"
        or page.evaluate("() => getComputedStyle(document.activeElement).boxShadow") != "none"
    )

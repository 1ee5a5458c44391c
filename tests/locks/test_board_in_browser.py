"""The room board as a person uses it: with a mouse, with the keyboard, on a phone."""

import datetime
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from locks import services
from locks.models import Allocation
from tenants.models import Hotel
from tests.locks.conftest import SomeNights
from tests.locks.helpers import fill_200_rooms
from tests.servers import demand_or_skip

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        demand_or_skip("chromium")
    # Playwright runs a loop of its own in this thread, which Django takes for asynchronous code. Inside it Django
    # has a connection of its own, that nobody else would close; and nobody inside would close the one outside.
    connection.close()
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with playwright.chromium.launch(executable_path=program, args=["--no-sandbox"]) as started:
            yield started
        connection.close()


@pytest.fixture
def page(browser: Browser, live_server: Any, staff: Client, settings: Any) -> Iterator[Page]:
    """The board of the hotel, logged in; a broken script or a breach of the page's policy fails the test."""
    port = live_server.url.rpartition(":")[2]
    complaints: list[str] = []
    with browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB") as context:
        cookie = staff.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies(
            [
                {
                    "name": settings.SESSION_COOKIE_NAME,
                    "value": cookie,
                    "url": f"http://alpha.localhost:{port}",
                }
            ]
        )
        shown = context.new_page()
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.on(
            "console",
            lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None,
        )
        shown.goto(f"http://alpha.localhost:{port}/admin/locks/room/board/")
        yield shown
        if folder := os.environ.get("SCREENSHOTS"):
            shown.screenshot(path=f"{folder}/board.png")
    assert complaints == []


def test_a_click_holds_a_free_room_and_another_confirms_it(rooms: list[int], page: Page) -> None:
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


def test_the_keyboard_is_enough(rooms: list[int], nights: SomeNights, page: Page) -> None:
    page.focus("#board")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.fill("[name=reason]", "paint")
    page.focus("[data-action=out-of-service]")
    page.keyboard.press("Enter")
    page.locator(".hb-row[data-number='102'] .hb-closed").wait_for()
    stay = Allocation.objects.get()
    assert (stay.check_in, stay.reason) == (nights(2).check_in, "paint")


def test_a_refusal_is_read_in_the_dialog(rooms: list[int], nights: SomeNights, page: Page) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(2, 2))
    page.reload()
    page.locator(".hb-row[data-number='101'] .hb-stay").click()
    page.fill("[name=reason]", "guest called")
    page.click("[data-action=force-release]")
    page.locator("#board-dialog").wait_for(state="hidden")
    assert Allocation.objects.get(id=hold.id).status == "released"
    expect(page.locator("#board-status")).to_have_text("The hold was released.")  # the board was refreshed
    page.locator(".hb-row[data-number='101']").click(position={"x": 9 * 16 + 3 * 52 + 32, "y": 15})
    # Only while the dialog is open does the board surely not read it: it would show the bar.
    services.acquire_hold(rooms=rooms[:1], nights=nights(2, 2))
    page.click("[data-action=hold]")
    expect(page.locator(".hb-error")).to_contain_text("Room 101 is held")


def test_200_rooms_and_60_nights_are_drawn_within_a_second(
    in_hotel: Hotel, today: datetime.date, page: Page
) -> None:
    """The browser's own processor time: the machine may be at other work. What the server takes: `test_board`."""
    fill_200_rooms(today)
    browser = page.context.new_cdp_session(page)
    browser.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(f"{page.url}?nights=60")
    page.locator(".hb-mark").first.wait_for(state="attached")  # the script has run
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    measured = browser.send("Performance.getMetrics")["metrics"]
    [seconds] = [metric["value"] for metric in measured if metric["name"] == "TaskDuration"]
    assert page.locator(".hb-stay").count() == 200 * 20
    assert seconds < 1, f"{seconds:.2f} s"


def test_what_has_the_focus_is_seen_and_a_dialog_gives_it_back(in_hotel: Hotel, page: Page) -> None:
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
    assert box["y"] >= head["y"] + head["height"]  # not below what stays in sight
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

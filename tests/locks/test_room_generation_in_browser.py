"""A browser test of the page that generates rooms."""

import pytest
from playwright.sync_api import expect

from locks.models import Room
from tenants.models import Hotel
from tests.browser import PHONE, OpenPage, fits_width, screenshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_preview_follows_the_form_and_the_button_creates_the_rooms(
    open_as_manager: OpenPage, in_hotel: Hotel, options: dict[str, object], request: pytest.FixtureRequest
) -> None:
    with open_as_manager("/admin/locks/room/", **options) as page:
        page.locator("#changelist-form a", has_text="Generate rooms").click()
        expect(page.locator("#preview h2")).to_have_text("30 new rooms")
        page.fill("[name=last_floor]", "2")
        page.fill("[name=rooms_per_floor]", "4")
        page.fill("[name=skipped]", "203")
        expect(page.locator("#preview h2")).to_have_text("7 new rooms")
        page.fill("[name=room_type]", "Double")
        page.wait_for_timeout(500)
        assert not Room.objects.exists()
        screenshot(page, f"first-generate-{request.node.callspec.id}")
        assert fits_width(page)
        page.click("text=Create 7 rooms")
        page.get_by_text("7 rooms were created.").wait_for()
    assert Room.objects.count() == 7


def test_empty_board_is_shown_with_its_next_steps(open_as_manager: OpenPage) -> None:
    with open_as_manager("/admin/locks/room/board/") as page:
        screenshot(page, "first-empty-board")
        assert fits_width(page)
        page.click(".hb-empty >> text=Generate rooms")
        expect(page.locator("#preview h2")).to_have_text("30 new rooms")

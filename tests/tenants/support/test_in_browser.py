"""Tests of a support session in a browser, on a desktop and on a phone, in English and Spanish."""

import pytest
from django.test import Client

from tenants.models import Hotel
from tests.browser import Screen, fits_width, screenshot
from tests.conftest import ALPHA_HOST
from tests.tenants.support.conftest import REASON

PAGES = {"start": "/admin/", "board": "/admin/locks/room/board/", "trail": "/admin/audit/event/"}

pytestmark = pytest.mark.django_db(transaction=True)


def test_platform_staff_open_a_hotel_see_the_banner_and_end_the_session(
    screen: Screen, operator: Client, hotel: Hotel
) -> None:
    form = f"/admin/tenants/hotel/{hotel.id}/support/"
    with screen.open(operator, form, host="localhost") as page:
        assert fits_width(page)
        screenshot(page, f"support-request-{screen.name}")
        page.fill("[name=reason]", REASON)
        page.locator("[name=role][value=manager]").check()
        page.click(".ha-acts button")
        link = page.locator('a[href*="/admin/support/"]')
        assert fits_width(page)
        screenshot(page, f"support-link-{screen.name}")
        # The test server listens on a port that the link does not contain.
        path = (link.get_attribute("href") or "").partition("/admin/")[2]
    with screen.open(Client(SERVER_NAME=ALPHA_HOST), f"/admin/{path}") as page:
        for name, url in PAGES.items():
            page.goto(url)
            assert REASON in page.locator(".ha-support").inner_text()
            assert fits_width(page)
            screenshot(page, f"support-{name}-{screen.name}")
        page.goto("/admin/nothing/")
        assert page.locator(".ha-support").is_visible()
        screenshot(page, f"support-not-found-{screen.name}")
        page.click(".ha-support button")
        page.wait_for_url("**/admin/support/ended/")
        screenshot(page, f"support-ended-{screen.name}")

"""Tests of the pages of an invitation in a browser, on a desktop and on a phone."""

import pytest
from django.test import Client

from tenants import services
from tenants.models import Hotel
from tests.browser import Screen, fits_width, screenshot
from tests.conftest import ALPHA_HOST
from tests.servers import MailServer
from tests.tenants.test_invitations import ADDRESS, PASSWORD, send, token_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_manager_accepts_the_invitation_in_the_browser(
    screen: Screen, hotel: Hotel, smtp: MailServer
) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    path = f"/admin/invitation/?token={token_in(send(hotel, smtp))}"
    anonymous = Client(SERVER_NAME=ALPHA_HOST)
    with screen.open(anonymous, path) as page:
        assert fits_width(page)
        screenshot(page, f"invitation-{screen.name}")
        page.fill("[name=username]", "rosa")
        page.fill("[name=password]", PASSWORD)
        page.fill("[name=repeated]", PASSWORD)
        page.click("form [type=submit]")
        page.wait_for_url("**/admin/")
    with screen.open(anonymous, path) as page:
        assert page.get_by_role("alert").is_visible()
        assert fits_width(page)
        screenshot(page, f"invitation-used-{screen.name}")


def test_platform_staff_see_the_invitation_in_the_browser(
    screen: Screen, operator: Client, hotel: Hotel, smtp: MailServer
) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    send(hotel, smtp)
    pages = {"invite": f"{hotel.id}/invite/", "hotel": f"{hotel.id}/change/", "new-hotel": "add/"}
    with screen.open(operator, "/admin/tenants/hotel/", host="localhost") as page:
        for label, path in pages.items():
            page.goto(f"/admin/tenants/hotel/{path}")
            assert fits_width(page)
            screenshot(page, f"{label}-{screen.name}")

"""Browser tests of the checklist and of the page of the sender."""

import pytest
from django.test import Client
from playwright.sync_api import expect

from tenants.models import Hotel, User
from tests.browser import PHONE, OpenPage, Screen, fits_width, screenshot
from tests.servers import MailServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


def test_checklist_fits_the_screen_and_its_steps_can_be_skipped(
    screen: Screen, staff: Client, in_hotel: Hotel
) -> None:
    User.objects.update(language=screen.language)
    with screen.open(staff, "/admin/") as page:
        page.locator("[data-step=api_keys] button[value=skip]").click()
        expect(page.locator("[data-step=api_keys]")).to_have_class("su-step su-skipped")
        screenshot(page, f"first-checklist-{screen.name}")
        assert fits_width(page)
        page.locator(".su-foot button[value=hide]").click()
        page.locator(".su").wait_for(state="detached")


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_test_email_is_sent_from_the_page_of_the_sender(
    open_as_manager: OpenPage,
    in_hotel: Hotel,
    smtp: MailServer,
    request: pytest.FixtureRequest,
    options: dict[str, object],
) -> None:
    User.objects.update(email="manager@example.com")
    with open_as_manager("/admin/", **options) as page:
        page.locator("[data-step=sender] a").click()
        page.fill("[name=email]", "desk@alpha.example")
        page.click("text=Save")
        page.get_by_text("The reply address was saved.").wait_for()
        page.locator("section", has_text="Send yourself a test e-mail").locator("button").click()
        page.get_by_text("The mail server accepted the test e-mail").wait_for()
        screenshot(page, f"first-sender-{request.node.callspec.id}")
        assert fits_width(page)
    assert smtp.to("manager@example.com")[0]["Reply-To"] == "desk@alpha.example"

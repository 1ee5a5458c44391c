"""Browser tests of the login pages and of the account pages, on a desktop and on a phone."""

import base64
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tests.browser import PHONE, fits_width, open_page, screenshot
from tests.conftest import ALPHA_HOST
from tests.tenants.access.accounts import PASSWORD, add_user, code_at, turn_on

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.django_db(transaction=True)
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {},
    "phone": PHONE,
    "desktop-es": {"locale": "es-ES"},
    "phone-es": {**PHONE, "locale": "es-ES"},
}


def show(page: "Page", name: str) -> None:
    """Check that the page fits the screen, and save a screenshot if an environment variable enables screenshots."""
    page.wait_for_load_state()
    assert fits_width(page)
    screenshot(page, f"account-{name}")


@pytest.mark.parametrize("screen", SCREENS)
def test_member_of_staff_sets_up_an_app_and_logs_in_with_its_code(
    screen: str, browser: "Browser", live_server: Any, hotel: Hotel
) -> None:
    with hotel_context(hotel):
        add_user(full_name="Rosa Ruiz", language="es" if screen.endswith("es") else "en")
    with open_page(
        browser, live_server, Client(SERVER_NAME=ALPHA_HOST), "/admin/", **SCREENS[screen]
    ) as page:
        show(page, f"login-{screen}")
        page.fill("[name=username]", "rosa")
        page.fill("[name=password]", PASSWORD)
        page.click("#login-form [type=submit]")
        page.wait_for_url("**/admin/")
        page.goto(page.url + "account/")
        show(page, f"overview-off-{screen}")
        page.click("a[href$='/two-factor/']")
        show(page, f"setup-{screen}")
        secret = base64.b32decode(page.inner_text("#secret").replace(" ", ""))
        page.fill("[name=code]", code_at(-1, secret=secret))
        page.click(".ha-account [type=submit]")
        page.locator(".ha-codes li").nth(9).wait_for()
        assert page.locator(".ha-codes li").count() == 10
        show(page, f"codes-{screen}")
        page.click(".ha-account a[href$='/account/']")
        show(page, f"overview-on-{screen}")
    with open_page(
        browser, live_server, Client(SERVER_NAME=ALPHA_HOST), "/admin/", **SCREENS[screen]
    ) as page:
        page.fill("[name=username]", "rosa")
        page.fill("[name=password]", PASSWORD)
        page.click("#login-form [type=submit]")
        page.wait_for_url("**/login/code/")
        page.fill("[name=code]", "000000")
        page.click("#code-form [type=submit]")
        show(page, f"code-{screen}")
        page.fill("[name=code]", code_at(0, secret=secret))
        page.click("#code-form [type=submit]")
        page.wait_for_url("**/admin/")


@pytest.mark.parametrize("screen", SCREENS)
def test_platform_staff_confirm_the_password_and_reset_a_second_factor(
    screen: str, browser: "Browser", live_server: Any, db: None
) -> None:
    language = "es" if screen.endswith("es") else "en"
    client = Client(SERVER_NAME="localhost")
    with platform_context():
        eva = add_user("eva", role="platform", language=language)
        ana = add_user("ana", role="platform")
        turn_on(ana)
        client.force_login(eva)
        session = client.session
        session["_confirmed_at"] -= 1000
        session.save()
    path = f"/admin/tenants/user/{ana.pk}/change/"
    with open_page(browser, live_server, client, path, host="localhost", **SCREENS[screen]) as page:
        show(page, f"staff-{screen}")
        page.click("a[href$='/reset-second-factor/']")
        show(page, f"confirm-{screen}")
        page.fill("[name=confirm_password]", PASSWORD)
        page.click(".ha-account [type=submit]")
        page.wait_for_url("**/reset-second-factor/")
        show(page, f"reset-{screen}")
        page.click(".ha-account [type=submit]")
        page.wait_for_url(f"**{path}")
        show(page, f"staff-after-{screen}")
    with platform_context():
        assert not User.objects.get(pk=ana.pk).has_second_factor


@pytest.mark.parametrize("screen", SCREENS)
def test_password_reset_pages_and_account_pages_fit_the_screen(
    screen: str, browser: "Browser", live_server: Any, hotel: Hotel, staff: Client
) -> None:
    if screen.endswith("es"):
        with hotel_context(hotel):
            User.objects.update(language="es")
    anonymous = Client(SERVER_NAME=ALPHA_HOST)
    for name in ("", "sent/", "new/"):
        with open_page(
            browser, live_server, anonymous, f"/admin/password-reset/{name}", **SCREENS[screen]
        ) as page:
            show(page, f"password-reset-{name.rstrip('/') or 'request'}-{screen}")
    for name in ("login-rules/", "account/email/", "password_change/"):
        with open_page(browser, live_server, staff, f"/admin/{name}", **SCREENS[screen]) as page:
            show(page, f"{name.strip('/').replace('/', '-')}-{screen}")

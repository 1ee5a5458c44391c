"""Browser tests of the login pages and of the account pages, on a desktop and on a phone."""

import base64
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tests.browser import Screen, fits_width, screenshot
from tests.conftest import ALPHA_HOST
from tests.tenants.access.accounts import PASSWORD, add_user, code_at, turn_on

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


def show(page: "Page", name: str) -> None:
    """Check that the page fits the screen, and save a screenshot if an environment variable enables screenshots."""
    page.wait_for_load_state()
    assert fits_width(page)
    screenshot(page, f"account-{name}")


def test_member_of_staff_sets_up_an_authenticator_app_and_logs_in_with_its_code(
    screen: Screen, hotel: Hotel
) -> None:
    with hotel_context(hotel):
        add_user(full_name="Rosa Ruiz", language=screen.language)
    with screen.open(Client(SERVER_NAME=ALPHA_HOST), "/admin/") as page:
        show(page, f"login-{screen.name}")
        page.fill("[name=username]", "rosa")
        page.fill("[name=password]", PASSWORD)
        page.click("#login-form [type=submit]")
        page.wait_for_url("**/admin/")
        page.goto("/admin/account/")
        show(page, f"overview-off-{screen.name}")
        page.click("a[href$='/two-factor/']")
        show(page, f"setup-{screen.name}")
        secret = base64.b32decode(page.inner_text("#secret").replace(" ", ""))
        page.fill("[name=code]", code_at(-1, secret=secret))
        page.click(".ha-account [type=submit]")
        page.locator(".ha-codes li").nth(9).wait_for()
        assert page.locator(".ha-codes li").count() == 10
        show(page, f"codes-{screen.name}")
        page.click(".ha-account a[href$='/account/']")
        show(page, f"overview-on-{screen.name}")
    with screen.open(Client(SERVER_NAME=ALPHA_HOST), "/admin/") as page:
        page.fill("[name=username]", "rosa")
        page.fill("[name=password]", PASSWORD)
        page.click("#login-form [type=submit]")
        page.wait_for_url("**/login/code/")
        page.fill("[name=code]", "000000")
        page.click("#code-form [type=submit]")
        show(page, f"code-{screen.name}")
        page.fill("[name=code]", code_at(0, secret=secret))
        page.click("#code-form [type=submit]")
        page.wait_for_url("**/admin/")


def test_platform_staff_confirm_the_password_and_reset_a_second_factor(screen: Screen, db: None) -> None:
    client = Client(SERVER_NAME="localhost")
    with platform_context():
        eva = add_user("eva", role="platform", language=screen.language)
        ana = add_user("ana", role="platform")
        turn_on(ana)
        client.force_login(eva)
        session = client.session
        session["_confirmed_at"] -= 1000
        session.save()
    path = f"/admin/tenants/user/{ana.pk}/change/"
    with screen.open(client, path, host="localhost") as page:
        show(page, f"staff-{screen.name}")
        page.click("a[href$='/reset-second-factor/']")
        show(page, f"confirm-{screen.name}")
        page.fill("[name=confirm_password]", PASSWORD)
        page.click(".ha-account [type=submit]")
        page.wait_for_url("**/reset-second-factor/")
        show(page, f"reset-{screen.name}")
        page.click(".ha-account [type=submit]")
        page.wait_for_url(f"**{path}")
        show(page, f"staff-after-{screen.name}")
    with platform_context():
        assert not User.objects.get(pk=ana.pk).has_second_factor


def test_password_reset_pages_and_account_pages_fit_the_screen(
    screen: Screen, hotel: Hotel, staff: Client
) -> None:
    if screen.language == "es":
        with hotel_context(hotel):
            User.objects.update(language="es")
    with screen.open(Client(SERVER_NAME=ALPHA_HOST), "/admin/login/") as page:
        for name in ("", "sent/", "new/"):
            page.goto(f"/admin/password-reset/{name}")
            show(page, f"password-reset-{name.rstrip('/') or 'request'}-{screen.name}")
    with screen.open(staff, "/admin/account/") as page:
        for name in ("login-rules/", "account/email/", "password_change/"):
            page.goto(f"/admin/{name}")
            show(page, f"{name.strip('/').replace('/', '-')}-{screen.name}")

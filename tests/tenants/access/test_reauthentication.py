"""Tests that sensitive changes ask for the password, and for a code, if the login was more than ten minutes ago."""

import re
from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from hotelagent.admin.account import limits
from tenants.context import hotel_context, platform_context
from tenants.models import ApiKey, Hotel, HotelStatus, ManagerInvitation, User
from tests.tenants.access.accounts import PASSWORD, add_user, code_at, html, log_in, new_browser, turn_on

pytestmark = pytest.mark.django_db
KEY = {"name": "Channel manager", "scopes": ["rooms:read"], "lifetime": "90"}


def age_login(browser: Client, tenant: Any, seconds: int = 601) -> None:
    with hotel_context(tenant) if tenant else platform_context():
        session = browser.session
        session["_confirmed_at"] -= seconds
        session.save()


@pytest.fixture
def manager(hotel: Hotel) -> Client:
    with hotel_context(hotel):
        add_user()
    browser = new_browser()
    log_in(browser)
    return browser


def hidden_fields(page: Any) -> dict[str, list[str]]:
    """Return the values of the hidden fields on the page that asks for the password."""
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html(page)):
        fields.setdefault(name, []).append(value)
    fields.pop("csrfmiddlewaretoken", None)
    return fields


def key_count(hotel: Hotel) -> int:
    with hotel_context(hotel):
        return ApiKey.objects.count()


def test_api_key_is_created_without_the_password_within_ten_minutes_after_the_login(
    hotel: Hotel, manager: Client
) -> None:
    age_login(manager, hotel, 590)
    assert manager.post("/admin/tenants/apikey/add/", KEY).status_code == 200
    assert key_count(hotel) == 1


def test_api_key_is_created_only_after_the_password_was_entered_and_no_input_is_lost(
    hotel: Hotel, manager: Client
) -> None:
    age_login(manager, hotel)
    page = manager.post("/admin/tenants/apikey/add/", KEY)
    assert "Confirm your identity" in html(page)
    assert key_count(hotel) == 0
    fields = hidden_fields(page)
    assert fields == {
        "confirm_method": ["POST"],
        "name": ["Channel manager"],
        "scopes": ["rooms:read"],
        "lifetime": ["90"],
    }
    page = manager.post("/admin/tenants/apikey/add/", {**fields, "confirm_password": "wrong"})
    assert "The password is wrong." in html(page)
    assert hidden_fields(page) == fields
    assert key_count(hotel) == 0
    page = manager.post("/admin/tenants/apikey/add/", {**fields, "confirm_password": PASSWORD})
    assert "Channel manager" in html(page)
    assert key_count(hotel) == 1
    with hotel_context(hotel):
        assert Event.objects.filter(event="staff.confirmation_failed").count() == 1
    # The page does not ask for the password again.
    assert manager.post("/admin/tenants/apikey/add/", KEY).status_code == 200
    assert key_count(hotel) == 2


def test_sensitive_page_opens_after_the_password_was_confirmed(hotel: Hotel, manager: Client) -> None:
    age_login(manager, hotel)
    fields = hidden_fields(manager.get("/admin/tenants/apikey/add/"))
    assert fields == {"confirm_method": ["GET"]}
    response = manager.post("/admin/tenants/apikey/add/", {**fields, "confirm_password": PASSWORD})
    assert response.headers["Location"] == "/admin/tenants/apikey/add/"
    assert 'name="lifetime"' in html(manager.get("/admin/tenants/apikey/add/"))


def test_forged_confirmation_without_a_password_is_refused(hotel: Hotel, manager: Client) -> None:
    age_login(manager, hotel)
    for extra in ({}, {"confirm_password": ""}, {"confirm_method": "POST"}, {"confirm_method": "GET"}):
        assert "Confirm your identity" in html(manager.post("/admin/tenants/apikey/add/", {**KEY, **extra}))
    assert key_count(hotel) == 0


def test_account_with_second_factor_needs_the_password_and_a_code(hotel: Hotel) -> None:
    with hotel_context(hotel):
        user = add_user()
        turn_on(user)
    browser = new_browser()
    log_in(browser)
    browser.post("/admin/login/code/", {"code": code_at()})
    age_login(browser, hotel)
    form = {**KEY, "confirm_method": "POST", "confirm_password": PASSWORD}
    assert "Confirm your identity" in html(browser.post("/admin/tenants/apikey/add/", form))
    used = browser.post("/admin/tenants/apikey/add/", {**form, "confirm_code": code_at()})
    assert "The code is wrong or was already used." in html(used)  # the code was used for the login
    assert key_count(hotel) == 0
    browser.post("/admin/tenants/apikey/add/", {**form, "confirm_code": code_at(1)})
    assert key_count(hotel) == 1


def test_wrong_passwords_on_the_page_that_asks_for_the_password_are_limited(
    hotel: Hotel, manager: Client
) -> None:
    age_login(manager, hotel)
    form = {"confirm_method": "GET", "confirm_password": "wrong"}
    url = "/admin/tenants/apikey/add/"
    # The login was the first of the allowed attempts.
    statuses = [manager.post(url, form).status_code for _number in range(limits.PAIR_RATE.requests)]
    assert statuses == [200] * (limits.PAIR_RATE.requests - 1) + [429]
    assert manager.post(url, {**form, "confirm_password": PASSWORD}).status_code == 429


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/admin/account/two-factor/"),
        ("get", "/admin/account/email/"),
        ("post", "/admin/account/email/"),
        ("get", "/admin/tenants/user/add/"),
        ("post", "/admin/tenants/user/add/"),
        ("post", "/admin/tenants/user/{luis}/change/"),
        ("get", "/admin/tenants/user/{luis}/password/"),
        ("post", "/admin/tenants/user/{luis}/password/"),
        ("post", "/admin/tenants/user/{luis}/reset-second-factor/"),
        ("post", "/admin/login-rules/"),
    ],
)
def test_sensitive_page_asks_for_the_password(hotel: Hotel, manager: Client, method: str, path: str) -> None:
    with hotel_context(hotel):
        luis = add_user("luis", role="front_desk")
    url = path.format(luis=luis.pk)
    assert "Confirm your identity" not in html(getattr(manager, method)(url))  # the control
    age_login(manager, hotel)
    assert "Confirm your identity" in html(getattr(manager, method)(url))


def test_inviting_a_manager_asks_for_the_password(hotel: Hotel) -> None:
    browser = new_browser("localhost")
    with platform_context():
        add_user("eva", role="platform")
    log_in(browser, "eva")
    age_login(browser, None)
    url = f"/admin/tenants/hotel/{hotel.pk}/invite/"
    page = browser.post(url, {"email": "rosa@example.com"})
    assert "Confirm your identity" in html(page)
    with platform_context():
        assert not ManagerInvitation.objects.exists()
    browser.post(url, {**hidden_fields(page), "confirm_password": PASSWORD})
    with platform_context():
        assert ManagerInvitation.objects.get().email == "rosa@example.com"


def test_suspending_a_hotel_asks_for_the_password(hotel: Hotel) -> None:
    browser = new_browser("localhost")
    with platform_context():
        add_user("eva", role="platform")
    log_in(browser, "eva")
    age_login(browser, None)
    form = {"action": "suspend", "_selected_action": [str(hotel.pk)]}
    page = browser.post("/admin/tenants/hotel/", form)
    assert "Confirm your identity" in html(page)
    with platform_context():
        assert Hotel.objects.get(pk=hotel.pk).status == HotelStatus.ACTIVE
    browser.post("/admin/tenants/hotel/", {**hidden_fields(page), "confirm_password": PASSWORD})
    with platform_context():
        assert Hotel.objects.get(pk=hotel.pk).status == HotelStatus.SUSPENDED


def test_staff_without_permission_get_403_instead_of_the_password_form(hotel: Hotel) -> None:
    with hotel_context(hotel):
        add_user("ana", role="front_desk")
    browser = new_browser()
    log_in(browser, "ana")
    age_login(browser, hotel)
    for path in ("/admin/tenants/apikey/add/", "/admin/tenants/user/add/", "/admin/login-rules/"):
        assert browser.get(path).status_code == 403
        assert browser.post(path, {}).status_code == 403
    with hotel_context(hotel):
        assert User.objects.count() == 1

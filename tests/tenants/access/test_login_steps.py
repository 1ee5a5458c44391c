"""Tests of the login with two-factor authentication, and of what staff must do before other pages open."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.models import Event
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, Session, User
from tenants.services import account
from tenants.services.staff import create_staff, reset_second_factor, set_password
from tests.tenants.access.accounts import (
    PASSWORD,
    add_user,
    code_at,
    html,
    is_logged_in,
    log_in,
    new_browser,
    turn_on,
)

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "another-Long-one-2"


@pytest.fixture
def rosa(hotel: Hotel) -> User:
    with hotel_context(hotel):
        return add_user()


@pytest.fixture
def codes(hotel: Hotel, rosa: User) -> list[str]:
    """Turn on two-factor authentication for Rosa, and return her recovery codes."""
    with hotel_context(hotel):
        return turn_on(rosa)


def events(hotel: Hotel) -> list[str]:
    with hotel_context(hotel):
        return list(
            Event.objects.filter(event__startswith="staff.").order_by("id").values_list("event", flat=True)
        )


def test_account_without_second_factor_logs_in_with_the_password_alone(rosa: User) -> None:
    browser = new_browser()
    assert log_in(browser).headers["Location"] == "/admin/"
    assert is_logged_in(browser)


def test_password_alone_does_not_log_in_an_account_with_second_factor(hotel: Hotel, codes: list[str]) -> None:
    browser = new_browser()
    assert log_in(browser).headers["Location"] == "/admin/login/code/"
    assert not is_logged_in(browser)
    assert browser.get("/api/v1/rooms/").status_code == 401
    assert "staff.logged_in" not in events(hotel)


def test_code_completes_the_login_and_leads_to_the_requested_page(hotel: Hotel, codes: list[str]) -> None:
    browser = new_browser()
    first = browser.post(
        "/admin/login/?next=/admin/account/",
        {"username": "rosa", "password": PASSWORD, "next": "/admin/account/"},
    )
    key = first.cookies["hotelagent_session"].value
    response = browser.post("/admin/login/code/", {"code": code_at()})
    assert response.headers["Location"] == "/admin/account/"
    assert is_logged_in(browser)
    assert browser.cookies["hotelagent_session"].value != key  # the login changes the session key
    assert events(hotel)[-1] == "staff.logged_in"


def test_login_does_not_redirect_to_another_host(codes: list[str]) -> None:
    browser = new_browser()
    browser.post("/admin/login/", {"username": "rosa", "password": PASSWORD, "next": "https://evil.example/"})
    assert browser.post("/admin/login/code/", {"code": code_at()}).headers["Location"] == "/admin/"


def test_recovery_code_completes_the_login(codes: list[str]) -> None:
    browser = new_browser()
    log_in(browser)
    assert browser.post("/admin/login/code/", {"code": codes[0]}).status_code == 302
    assert is_logged_in(browser)


def test_wrong_codes_are_recorded_and_then_refused_with_429(hotel: Hotel, codes: list[str]) -> None:
    browser = new_browser()
    log_in(browser)
    for _number in range(3):
        response = browser.post("/admin/login/code/", {"code": "000000"})
        assert response.status_code == 200
        assert "The code is wrong" in html(response)
    response = browser.post("/admin/login/code/", {"code": code_at()})
    assert response.status_code == 429
    assert "Too many wrong codes. Try again in 8 seconds." in html(response)
    assert events(hotel).count("staff.login_code_failed") == 3
    assert not is_logged_in(browser)


def test_page_for_the_code_redirects_to_the_login_if_no_password_was_entered(codes: list[str]) -> None:
    response = new_browser().post("/admin/login/code/", {"code": code_at()})
    assert response.headers["Location"] == "/admin/login/"


def test_login_code_is_refused_ten_minutes_after_the_password_was_entered(
    hotel: Hotel, codes: list[str]
) -> None:
    browser = new_browser()
    for age, target in ((590, "/admin/"), (610, "/admin/login/")):
        log_in(browser)
        with hotel_context(hotel):
            session = browser.session
            session["_second_step"] = {**session["_second_step"], "at": session["_second_step"]["at"] - age}
            session.save()
        response = browser.post("/admin/login/code/", {"code": codes.pop()})
        assert response.headers["Location"] == target


def test_code_is_refused_if_the_password_was_changed_meanwhile(
    hotel: Hotel, rosa: User, codes: list[str]
) -> None:
    browser = new_browser()
    log_in(browser)
    with hotel_context(hotel):
        set_password(username="rosa", password=NEW_PASSWORD)
    assert browser.post("/admin/login/code/", {"code": code_at()}).headers["Location"] == "/admin/login/"


def test_reset_of_the_second_factor_ends_the_sessions_and_allows_the_password_alone(
    hotel: Hotel, codes: list[str]
) -> None:
    browser = new_browser()
    log_in(browser)
    browser.post("/admin/login/code/", {"code": code_at()})
    with hotel_context(hotel):
        reset_second_factor(username="Rosa")
        assert not Session.objects.exclude(user_id=None).exists()
    assert not is_logged_in(browser)
    assert log_in(browser).headers["Location"] == "/admin/"
    assert "staff.second_factor_reset" in events(hotel)


def test_platform_staff_must_set_up_a_second_factor_before_any_page_opens(
    operator: Client, settings: Any
) -> None:
    # The control: the development settings require no second factor.
    assert operator.get("/admin/tenants/hotel/").status_code == 200
    settings.TWO_FACTOR_FOR_PLATFORM = True
    for path in ("/admin/", "/admin/tenants/hotel/", "/admin/account/", "/admin/tenants/apikey/add/"):
        assert operator.get(path).headers["Location"] == "/admin/account/two-factor/"
        assert operator.post(path, {}).headers["Location"] == "/admin/account/two-factor/"
    assert operator.get("/api/v1/hotels/").status_code == 403
    page = operator.get("/admin/account/two-factor/")
    assert page.status_code == 200
    assert "Two-factor authentication is required" in html(page)
    with platform_context():
        user = User.objects.get(username="operator")
        turn_on(user)
        operator.force_login(User.objects.get(pk=user.pk))
    assert operator.get("/admin/tenants/hotel/").status_code == 200
    assert operator.get("/api/v1/hotels/").status_code == 200


def test_staff_of_a_hotel_must_set_up_a_second_factor_if_the_hotel_requires_it(
    hotel: Hotel, other_hotel: Hotel, staff: Client
) -> None:
    assert staff.get("/admin/").status_code == 200
    with hotel_context(other_hotel):
        account.require_two_factor(required=True)
    assert staff.get("/admin/").status_code == 200  # the rule of another hotel does not apply
    with hotel_context(hotel):
        account.require_two_factor(required=True)
    assert staff.get("/admin/").headers["Location"] == "/admin/account/two-factor/"
    assert staff.get("/api/v1/rooms/").status_code == 403
    assert staff.post("/admin/logout/").status_code == 200


def test_api_keys_need_no_second_factor(hotel: Hotel, api: APIClient) -> None:
    with hotel_context(hotel):
        account.require_two_factor(required=True)
    assert api.get("/api/v1/rooms/").status_code == 200


def test_initial_password_must_be_changed_before_any_page_opens(hotel: Hotel) -> None:
    with hotel_context(hotel):
        _user, password = create_staff(username="luis", role="manager")
    browser = new_browser()
    assert log_in(browser, "luis", password).status_code == 302
    assert browser.get("/admin/").headers["Location"] == "/admin/password_change/"
    assert browser.get("/api/v1/rooms/").status_code == 403
    assert "Choose a new password to continue." in html(browser.get("/admin/password_change/"))
    form = {"old_password": password, "new_password1": password, "new_password2": password}
    assert "This is your current password" in html(browser.post("/admin/password_change/", form))
    form |= {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert browser.post("/admin/password_change/", form).status_code == 302
    assert browser.get("/admin/").status_code == 200
    assert log_in(new_browser(), "luis", NEW_PASSWORD).headers["Location"] == "/admin/"


@pytest.mark.parametrize("password", ["x" * 300, "x" * 100_000])
def test_login_with_a_password_that_is_too_long_is_refused_without_hashing(
    rosa: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    monkeypatch.setattr(User, "check_password", lambda _user, text: hashed.append(text))
    assert log_in(new_browser(), "rosa", password).status_code == 200
    assert hashed == []
    log_in(new_browser(), "rosa", "x" * 256)
    assert len(hashed) == 1  # the control

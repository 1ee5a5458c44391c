"""Tests of the page "Your account": the second factor, recovery codes, the e-mail address and the sessions."""

import base64
import re
from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from hotelagent.admin.account.limits import PAIR_RATE
from tenants.access.second_factor import decrypt_secret, unused_recovery_codes
from tenants.context import hotel_context
from tenants.models import Hotel, Session, User
from tenants.services import account
from tests.tenants.access.accounts import (
    PASSWORD,
    SECRET,
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
        return add_user(role="front_desk")


@pytest.fixture
def browser(rosa: User) -> Client:
    browser = new_browser(HTTP_USER_AGENT="Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/150.0")
    log_in(browser)
    return browser


def stored(hotel: Hotel) -> User:
    with hotel_context(hotel):
        return User.objects.get(username="rosa")


def event_names(hotel: Hotel) -> set[str]:
    with hotel_context(hotel):
        return set(Event.objects.values_list("event", flat=True))


def secret_on(page: Any) -> bytes:
    """Return the secret for the authenticator app, which the set-up page shows."""
    found = re.search(r'id="secret">([A-Z2-7 ]+)<', html(page))
    assert found
    return base64.b32decode(found.group(1).replace(" ", ""))


def codes_on(page: Any) -> list[str]:
    return re.findall(r"<li>([a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4})</li>", html(page))


def test_second_factor_is_turned_on_with_a_code_and_shows_the_recovery_codes_once(
    hotel: Hotel, browser: Client
) -> None:
    page = browser.get("/admin/account/two-factor/")
    secret = secret_on(page)
    assert secret_on(browser.get("/admin/account/two-factor/")) == secret  # reloading keeps the QR code
    assert "<svg" in html(page)
    assert "style=" not in html(page).partition("<svg")[2].partition("</svg>")[0]
    wrong = browser.post("/admin/account/two-factor/", {"code": code_at(-9, secret=secret)})
    assert "The code is wrong" in html(wrong)
    assert not stored(hotel).has_second_factor
    done = browser.post("/admin/account/two-factor/", {"code": code_at(secret=secret)})
    codes = codes_on(done)
    assert len(codes) == 10
    assert "no-store" in done.headers["Cache-Control"]
    user = stored(hotel)
    with hotel_context(hotel):
        assert decrypt_secret(user.totp_secret or b"", user) == secret
    assert is_logged_in(browser)
    assert codes[0] not in html(browser.get("/admin/account/"))
    assert "staff.second_factor_enabled" in event_names(hotel)


def test_turning_on_the_second_factor_ends_the_other_sessions(hotel: Hotel, browser: Client) -> None:
    other = new_browser()
    log_in(other)
    secret = secret_on(browser.get("/admin/account/two-factor/"))
    browser.post("/admin/account/two-factor/", {"code": code_at(secret=secret)})
    assert is_logged_in(browser)
    assert not is_logged_in(other)


def test_authenticator_app_is_replaced_and_the_old_app_stops_working(hotel: Hotel, rosa: User) -> None:
    with hotel_context(hotel):
        turn_on(rosa)
    browser = new_browser()
    log_in(browser)
    browser.post("/admin/login/code/", {"code": code_at()})
    secret = secret_on(browser.get("/admin/account/two-factor/"))
    assert secret != SECRET
    assert len(codes_on(browser.post("/admin/account/two-factor/", {"code": code_at(secret=secret)}))) == 10
    assert "staff.second_factor_replaced" in event_names(hotel)
    log_in(other := new_browser())
    other.post("/admin/login/code/", {"code": code_at(1)})
    assert not is_logged_in(other)
    other.post("/admin/login/code/", {"code": code_at(1, secret=secret)})
    assert is_logged_in(other)


def test_new_recovery_codes_replace_the_old_codes(hotel: Hotel, rosa: User, browser: Client) -> None:
    with hotel_context(hotel):
        old = turn_on(rosa)
        browser.force_login(User.objects.get(pk=rosa.pk))
    page = browser.post("/admin/account/recovery-codes/")
    new = codes_on(page)
    assert len(new) == 10 == unused_recovery_codes(stored(hotel))
    assert not set(old) & set(new)
    log_in(other := new_browser())
    other.post("/admin/login/code/", {"code": old[0]})
    assert not is_logged_in(other)
    other.post("/admin/login/code/", {"code": new[0]})
    assert is_logged_in(other)


@pytest.mark.parametrize("is_required", [False, True])
def test_second_factor_can_be_turned_off_unless_it_is_required(
    hotel: Hotel, rosa: User, browser: Client, is_required: bool
) -> None:
    with hotel_context(hotel):
        turn_on(rosa)
        account.require_two_factor(required=is_required)
        browser.force_login(User.objects.get(pk=rosa.pk))
    assert ("Turn off" in html(browser.get("/admin/account/"))) is not is_required
    assert browser.post("/admin/account/two-factor/off/").status_code == 302
    assert stored(hotel).has_second_factor is is_required
    assert is_logged_in(browser)


def test_sessions_list_shows_devices_and_ends_one_or_all_other_sessions(
    hotel: Hotel, rosa: User, browser: Client
) -> None:
    phones = [
        new_browser(HTTP_USER_AGENT="Mozilla/5.0 (iPhone) Safari/605", REMOTE_ADDR="192.0.2.9") for _ in "123"
    ]
    for phone in phones:
        log_in(phone)
    page = html(browser.get("/admin/account/"))
    assert page.count("Safari on iPhone") == 3
    assert page.count("192.0.2.9") == 3
    assert page.count("Firefox on Windows") == 1
    assert page.count("this session") == 1
    ids = re.findall(r'name="session" value="([0-9a-f-]+)"', page)
    assert len(ids) == 3
    browser.post("/admin/account/sessions/end/", {"session": ids[0]})
    assert sum(is_logged_in(phone) for phone in phones) == 2
    browser.post("/admin/account/sessions/end/")
    assert not any(is_logged_in(phone) for phone in phones)
    assert is_logged_in(browser)
    with hotel_context(hotel):
        ended = Event.objects.filter(event="staff.sessions_ended").order_by("id")
        assert [event.data["count"] for event in ended] == [1, 2]


def test_session_of_another_member_of_staff_cannot_be_ended(
    hotel: Hotel, browser: Client, staff: Client
) -> None:
    with hotel_context(hotel):
        other = Session.objects.get(user_id=User.objects.get(username="manager").pk)
    browser.post("/admin/account/sessions/end/", {"session": str(other.id)})
    assert is_logged_in(staff)
    assert browser.post("/admin/account/sessions/end/", {"session": "x"}).status_code == 404


def test_password_change_ends_the_other_sessions(hotel: Hotel, browser: Client) -> None:
    log_in(other := new_browser())
    form = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert browser.post("/admin/password_change/", form).status_code == 302
    assert is_logged_in(browser)
    assert not is_logged_in(other)
    with hotel_context(hotel):
        assert Session.objects.exclude(user_id=None).count() == 1


def test_password_changes_with_a_wrong_old_password_are_limited(browser: Client) -> None:
    form = {"old_password": "wrong", "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    # The login has used one of the attempts.
    statuses = [browser.post("/admin/password_change/", form).status_code for _ in range(PAIR_RATE.requests)]
    assert statuses == [200] * (PAIR_RATE.requests - 1) + [429]


def test_email_address_is_changed_and_recorded(hotel: Hotel, browser: Client) -> None:
    assert browser.post("/admin/account/email/", {"email": "not an address"}).status_code == 200
    assert browser.post("/admin/account/email/", {"email": "new@example.com"}).status_code == 302
    assert stored(hotel).email == "new@example.com"
    assert "staff.email_changed" in event_names(hotel)


def test_manager_resets_the_second_factor_of_another_account(hotel: Hotel, rosa: User, staff: Client) -> None:
    with hotel_context(hotel):
        turn_on(rosa)
        own = User.objects.get(username="manager")
    url = f"/admin/tenants/user/{rosa.pk}/reset-second-factor/"
    assert url in html(staff.get(f"/admin/tenants/user/{rosa.pk}/change/"))
    assert staff.get(url).status_code == 200
    assert stored(hotel).has_second_factor
    assert staff.post(url).status_code == 302
    assert not stored(hotel).has_second_factor
    with hotel_context(hotel):
        event = Event.objects.get(event="staff.second_factor_reset")
        assert (event.actor_id, event.subject_id) == (str(own.pk), str(rosa.pk))


def test_front_desk_cannot_reset_the_second_factor_of_another_account(
    hotel: Hotel, browser: Client, staff: Client
) -> None:
    with hotel_context(hotel):
        manager = User.objects.get(username="manager")
        turn_on(manager)
    assert browser.post(f"/admin/tenants/user/{manager.pk}/reset-second-factor/").status_code == 403
    with hotel_context(hotel):
        assert User.objects.get(username="manager").has_second_factor


def test_login_rules_require_the_second_factor_of_all_staff(
    hotel: Hotel, browser: Client, staff: Client
) -> None:
    assert "without two-factor authentication: 2 of 2." in html(staff.get("/admin/login-rules/"))
    assert browser.get("/admin/login-rules/").status_code == 403
    assert staff.post("/admin/login-rules/", {"require_two_factor": "on"}).status_code == 302
    assert browser.get("/admin/").headers["Location"] == "/admin/account/two-factor/"
    assert staff.get("/admin/").headers["Location"] == "/admin/account/two-factor/"
    with hotel_context(hotel):
        event = Event.objects.get(event="hotel.changed")
        assert event.data["detail"]["after"] == {"require_two_factor": True}

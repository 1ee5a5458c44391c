"""Tests of the password and the second factor of a member of the platform's staff who opens a hotel."""

from typing import Any

import pytest
from django.test import Client

from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, SupportSession, User
from tenants.scopes import Role
from tenants.services import account
from tests.conftest import ALPHA_HOST
from tests.servers import MailServer
from tests.tenants.access.accounts import PASSWORD, add_user, code_at, html, log_in, new_browser, turn_on
from tests.tenants.access.test_reauthentication import age_login, hidden_fields
from tests.tenants.support.conftest import REASON, OpenHotel, link_of
from tests.tenants.test_invitations import ADDRESS, accept, send, token_in

pytestmark = pytest.mark.django_db

VALUES = {"reason": REASON, "minutes": "15", "role": "auditor"}
SETUP_PAGE = "/admin/account/two-factor/"


def session_count() -> int:
    with platform_context():
        return SupportSession.objects.count()


def require_two_factor(hotel: Hotel) -> None:
    with hotel_context(hotel):
        account.require_two_factor(required=True)


def test_support_session_is_created_only_after_the_person_has_entered_the_password(hotel: Hotel) -> None:
    with platform_context():
        add_user(role="platform")
    browser = new_browser("localhost")
    log_in(browser)
    page = f"/admin/tenants/hotel/{hotel.id}/support/"
    browser.post(page, VALUES)
    assert session_count() == 1  # the control: right after the login, no password is required
    age_login(browser, None)
    question = browser.post(page, VALUES)
    assert "Confirm your identity" in html(question)
    fields = hidden_fields(question)
    assert fields == {"confirm_method": ["POST"], **{name: [value] for name, value in VALUES.items()}}
    browser.post(page, {**fields, "confirm_password": "wrong"})
    assert session_count() == 1
    assert "/admin/support/?token=" in html(browser.post(page, {**fields, "confirm_password": PASSWORD}))
    assert session_count() == 2


def test_support_session_needs_a_code_of_a_person_with_a_second_factor(hotel: Hotel) -> None:
    with platform_context():
        turn_on(add_user(role="platform"))
    browser = new_browser("localhost")
    log_in(browser)
    browser.post("/admin/login/code/", {"code": code_at()})
    age_login(browser, None)
    page = f"/admin/tenants/hotel/{hotel.id}/support/"
    fields = {**hidden_fields(browser.post(page, VALUES)), "confirm_password": PASSWORD}
    browser.post(page, fields)
    assert session_count() == 0
    browser.post(page, {**fields, "confirm_code": code_at(1)})
    assert session_count() == 1


def test_person_without_a_second_factor_cannot_open_a_hotel_that_requires_it(
    operator: Client, hotel: Hotel, other_hotel: Hotel
) -> None:
    require_two_factor(hotel)
    page = html(operator.post(f"/admin/tenants/hotel/{hotel.id}/support/", VALUES))
    assert "Hotel Alpha requires two-factor authentication." in page
    assert session_count() == 0
    assert "/admin/support/?token=" in html(
        operator.post(f"/admin/tenants/hotel/{other_hotel.id}/support/", VALUES)
    )


def test_person_with_a_second_factor_opens_a_hotel_that_requires_it(
    operator: Client, eva: User, hotel: Hotel, staff: Client
) -> None:
    require_two_factor(hotel)
    with platform_context():
        turn_on(eva)
        operator.force_login(User.objects.get(pk=eva.pk))
    browser = Client(SERVER_NAME=ALPHA_HOST)
    assert browser.get(link_of(operator, hotel)).headers["Location"] == "/admin/"
    assert browser.get("/admin/locks/room/").status_code == 200
    # The control: an account of the hotel without a second factor opens no page.
    assert staff.get("/admin/locks/room/").headers["Location"] == SETUP_PAGE


@pytest.mark.parametrize(
    "path", [SETUP_PAGE, "/admin/account/", "/admin/account/email/", "/admin/login-rules/"]
)
def test_support_session_cannot_change_the_second_factor_of_any_account(
    open_hotel: OpenHotel, hotel: Hotel, path: str
) -> None:
    browser = open_hotel(role=Role.MANAGER)
    assert browser.get("/admin/").status_code == 200
    assert browser.get(path).status_code == 403
    assert browser.post(path, {"code": code_at(), "email": "eve@example.com"}).status_code == 403
    with platform_context():
        assert Hotel.objects.get(id=hotel.id).require_two_factor is False


def test_invited_manager_must_set_up_the_required_second_factor_before_any_page_opens(
    hotel: Hotel, other_hotel: Hotel, smtp: MailServer
) -> None:
    require_two_factor(hotel)
    browsers: dict[Any, Client] = {}
    for place in (hotel, other_hotel):
        services.invite_manager(hotel_id=place.id, email=ADDRESS)
        browsers[place.slug] = Client(SERVER_NAME=f"{place.slug}.localhost")
        assert accept(token_in(send(place, smtp)), browsers[place.slug]).status_code == 302
    # The control: the hotel Beta does not require a second factor.
    assert browsers["beta"].get("/admin/locks/room/").status_code == 200
    browser = browsers["alpha"]
    for path in ("/admin/", "/admin/locks/room/", "/admin/tenants/apikey/add/", "/admin/login-rules/"):
        assert browser.get(path).headers["Location"] == SETUP_PAGE
        assert browser.post(path, {}).headers["Location"] == SETUP_PAGE
    assert browser.get("/api/v1/rooms/").status_code == 403
    # The acceptance is a login, so the page does not ask for the password again.
    assert 'id="secret"' in html(browser.get(SETUP_PAGE))
    with hotel_context(hotel):
        manager = User.objects.get(username="rosa")
        turn_on(manager)
        browser.force_login(User.objects.get(pk=manager.pk))
    assert browser.get("/admin/locks/room/").status_code == 200

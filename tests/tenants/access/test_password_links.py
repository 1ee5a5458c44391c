"""Tests of the e-mail with which staff who forgot their password set a new one."""

import datetime
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from hotelagent.admin.account import limits
from tenants import tasks
from tenants.access.account_mail import encrypt_values
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tests.servers import MailServer
from tests.tenants.access.accounts import (
    PASSWORD,
    add_user,
    code_at,
    first_link,
    html,
    is_logged_in,
    log_in,
    new_browser,
    turn_on,
)

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "another-Long-one-2"
NEW = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}


@pytest.fixture
def rosa(hotel: Hotel) -> User:
    with hotel_context(hotel):
        return add_user()


def request_link(name: str, *, host: str = "alpha.localhost", **options: Any) -> Any:
    return new_browser(host, **options).post("/admin/password-reset/", {"name": name})


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def send_link(hotel: Hotel, smtp: MailServer, name: str = "rosa") -> str:
    """Send the link as the worker does. Return the path of the link in the received e-mail."""
    with hotel_context(hotel):
        assert tasks.send_password_links(encrypt_values({"name": name})) == 1
    return first_link(text_of(smtp.to("rosa@example.com")[-1]))


def open_link(link: str) -> Client:
    browser = new_browser()
    response = browser.get(link)
    assert response.headers["Location"] == "/admin/password-reset/new/"
    return browser


def is_valid(link: str) -> bool:
    page = open_link(link).get("/admin/password-reset/new/")
    return "not valid any more" not in html(page)


def test_login_page_links_to_the_page_that_requests_a_password_link(hotel: Hotel) -> None:
    assert 'href="/admin/password-reset/"' in html(new_browser().get("/admin/login/"))


def test_password_link_is_sent_to_the_address_of_the_account_and_sets_a_new_password(
    hotel: Hotel, rosa: User, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    log_in(old := new_browser())
    with hotel_context(hotel), django_capture_on_commit_callbacks(execute=True):
        assert request_link("ROSA").headers["Location"] == "/admin/password-reset/sent/"
    [message] = smtp.to("rosa@example.com")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == "Hotel Alpha: set a new password"
    link = first_link(text_of(message))
    browser = open_link(link)
    weak = browser.post("/admin/password-reset/new/", {"new_password1": "short", "new_password2": "short"})
    assert "at least 12 characters" in html(weak)
    response = browser.post("/admin/password-reset/new/", NEW)
    assert response.headers["Location"] == "/admin/login/"
    assert not is_logged_in(browser)
    assert not is_logged_in(old)  # the session that existed before the password change has ended
    log_in(browser, "rosa", NEW_PASSWORD)
    assert is_logged_in(browser)
    with hotel_context(hotel):
        events = Event.objects.filter(event__in=["staff.password_link_sent", "staff.password_set"]).order_by(
            "id"
        )
        assert [event.event for event in events] == ["staff.password_link_sent", "staff.password_set"]
        assert events[1].actor_id == str(rosa.pk)


def test_password_link_can_be_used_once(hotel: Hotel, rosa: User, smtp: MailServer) -> None:
    link = send_link(hotel, smtp)
    first, second = open_link(link), open_link(link)
    assert first.post("/admin/password-reset/new/", NEW).status_code == 302
    assert "not valid any more" in html(second.post("/admin/password-reset/new/", NEW))
    assert not is_valid(link)


def test_password_link_is_valid_for_an_hour(
    hotel: Hotel, rosa: User, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = "django.contrib.auth.tokens.PasswordResetTokenGenerator._now"
    for minutes, is_expected in ((59, True), (61, False)):
        sent_at = datetime.datetime.now() - datetime.timedelta(minutes=minutes)  # noqa: DTZ005 - as Django does
        with monkeypatch.context() as patch:
            patch.setattr(generator, lambda _self, sent_at=sent_at: sent_at)
            link = send_link(hotel, smtp)
        assert is_valid(link) is is_expected


@pytest.mark.parametrize("change", ["deactivated", "email", "other hotel", "other account"])
def test_password_link_is_not_valid_after_a_change_or_for_another_account_or_hotel(
    hotel: Hotel, other_hotel: Hotel, rosa: User, smtp: MailServer, change: str
) -> None:
    link = send_link(hotel, smtp)
    assert is_valid(link)
    with hotel_context(hotel):
        match change:
            case "deactivated":
                User.objects.filter(pk=rosa.pk).update(is_active=False)
            case "email":
                User.objects.filter(pk=rosa.pk).update(email="new@example.com")
            case "other account":
                link = link.replace(str(rosa.pk), str(add_user("luis").pk))
    if change == "other hotel":
        browser = new_browser("beta.localhost")
        browser.get(link)
        assert "not valid any more" in html(browser.get("/admin/password-reset/new/"))
    else:
        assert not is_valid(link)


def test_password_link_does_not_replace_the_second_factor(hotel: Hotel, rosa: User, smtp: MailServer) -> None:
    with hotel_context(hotel):
        turn_on(rosa)
    browser = open_link(send_link(hotel, smtp))
    browser.post("/admin/password-reset/new/", NEW)
    assert log_in(browser, "rosa", NEW_PASSWORD).headers["Location"] == "/admin/login/code/"
    browser.post("/admin/login/code/", {"code": code_at()})
    assert is_logged_in(browser)


def test_password_link_has_the_host_name_of_the_hotel_and_not_of_the_request(
    hotel: Hotel, rosa: User, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    with hotel_context(hotel), django_capture_on_commit_callbacks(execute=True):
        request_link("rosa", HTTP_X_FORWARDED_HOST="evil.example")
        assert request_link("rosa", host="evil.example").status_code == 404
    [message] = smtp.to("rosa@example.com")
    assert "http://alpha.localhost:" in text_of(message)
    assert "evil" not in message.as_string()


def test_platform_staff_receive_a_password_link_to_the_platform(smtp: MailServer, platform: None) -> None:
    add_user("eva", role="platform")
    assert tasks.send_password_links(encrypt_values({"name": "eva"})) == 1
    [message] = smtp.to("eva@example.com")
    assert message["Subject"] == "localhost: set a new password"
    assert "http://localhost:" in text_of(message)


def test_email_with_the_password_link_is_in_the_language_of_the_account(
    hotel: Hotel, rosa: User, smtp: MailServer
) -> None:
    with hotel_context(hotel):
        User.objects.update(language="es")
    send_link(hotel, smtp)
    [message] = smtp.to("rosa@example.com")
    assert message["Subject"] == "Hotel Alpha: establezca una contraseña nueva"
    assert message["Content-Language"] == "es"
    assert "Hola, rosa:" in text_of(message)


def test_each_active_account_with_the_entered_email_address_receives_one_password_link(
    hotel: Hotel, rosa: User, smtp: MailServer
) -> None:
    with hotel_context(hotel):
        add_user("rosa2", email="ROSA@example.com")
        add_user("rosa3", email="rosa@example.com", is_active=False)
        assert tasks.send_password_links(encrypt_values({"name": "rosa@EXAMPLE.com"})) == 2
        assert tasks.send_password_links(encrypt_values({"name": "rosa3"})) == 0
        assert tasks.send_password_links(encrypt_values({"name": "unknown"})) == 0


def test_account_receives_at_most_three_password_links_in_an_hour(
    hotel: Hotel, rosa: User, smtp: MailServer
) -> None:
    with hotel_context(hotel):
        sent = [
            tasks.send_password_links(encrypt_values({"name": name}))
            for name in ("rosa", "rosa@example.com") * 3
        ]
    assert sent == [1, 1, 1, 0, 0, 0]


def test_password_link_requests_are_limited_by_user_name_and_ip_address(hotel: Hotel) -> None:
    statuses = [
        request_link(name, REMOTE_ADDR=f"192.0.2.{i}").status_code for i, name in enumerate(["a", "A"] * 2)
    ]
    assert statuses == [302, 302, 302, 429]
    names = [f"name{number}" for number in range(limits.LINK_ADDRESS_RATE.requests + 1)]
    statuses = [request_link(name, REMOTE_ADDR="192.0.2.99").status_code for name in names]
    assert statuses == [302] * limits.LINK_ADDRESS_RATE.requests + [429]


def test_password_link_response_is_equal_for_known_and_unknown_user_names(hotel: Hotel, rosa: User) -> None:
    responses = {}
    for name in ("rosa", "nobody"):
        with CaptureQueriesContext(connection) as queries:
            response = request_link(name)
        headers = {
            key: value for key, value in response.headers.items() if key not in {"Expires", "X-Request-ID"}
        }
        responses[name] = (response.status_code, response.content, headers)
        # The request reads no account, so the time cannot depend on the account.
        assert not [query["sql"] for query in queries if "tenants_user" in query["sql"]]
    assert responses["rosa"] == responses["nobody"]
    with CaptureQueriesContext(connection) as queries:
        log_in(new_browser())
    assert [query for query in queries if "tenants_user" in query["sql"]]  # the control


def test_password_set_by_a_link_is_not_an_initial_password(
    hotel: Hotel, rosa: User, smtp: MailServer
) -> None:
    with hotel_context(hotel):
        User.objects.update(must_change_password=True)
    browser = open_link(send_link(hotel, smtp))
    browser.post("/admin/password-reset/new/", NEW)
    log_in(browser, "rosa", NEW_PASSWORD)
    assert browser.get("/admin/").status_code == 200
    assert log_in(new_browser(), "rosa", PASSWORD).status_code == 200  # the old password is refused

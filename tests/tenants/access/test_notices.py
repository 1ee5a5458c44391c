"""Tests of the e-mails that tell staff about changes of their credentials."""

from email.message import EmailMessage
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.test import Client

from tenants.access.account_mail import decrypt_values, encrypt_values
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.services import account
from tenants.services.staff import reset_second_factor, set_password
from tests.servers import MailServer
from tests.tenants.access.accounts import PASSWORD, SECRET, add_user, code_at, log_in, new_browser

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "another-Long-one-2"


@pytest.fixture
def rosa(hotel: Hotel) -> User:
    with hotel_context(hotel):
        return add_user()


@pytest.fixture
def browser(rosa: User) -> Client:
    browser = new_browser(HTTP_USER_AGENT="Firefox/150.0", REMOTE_ADDR="192.0.2.7")
    log_in(browser)
    return browser


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def change_password(browser: Client) -> Any:
    form = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    return browser.post("/admin/password_change/", form)


def test_notice_of_a_password_change_contains_the_time_the_ip_address_and_the_browser(
    hotel: Hotel, browser: Client, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    with hotel_context(hotel), django_capture_on_commit_callbacks(execute=True):
        assert change_password(browser).status_code == 302
    [message] = smtp.to("rosa@example.com")
    text = text_of(message)
    assert message["Subject"] == "Hotel Alpha: your account rosa was changed"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "The password of your account rosa at Hotel Alpha was changed." in text
    assert "IP address: 192.0.2.7" in text
    assert "Browser: Firefox/150.0" in text
    assert "/admin/password-reset/" in text


def test_each_change_of_credentials_is_reported_to_the_user_by_email(
    hotel: Hotel, rosa: User, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    def last_text() -> str:
        return text_of(smtp.to("rosa@example.com")[-1])

    with hotel_context(hotel):
        for change, sentence in (
            (lambda: set_password(username="rosa", password=NEW_PASSWORD), "The password of your account"),
            (
                lambda: account.turn_on_second_factor(rosa, secret=SECRET, code=code_at()),
                "Two-factor authentication was turned on",
            ),
            (lambda: account.turn_on_second_factor(rosa, secret=SECRET, code=code_at()), "authenticator app"),
            (lambda: account.renew_recovery_codes(rosa), "New recovery codes were created"),
            (lambda: account.turn_off_second_factor(rosa), "Two-factor authentication was turned off"),
            (lambda: account.turn_on_second_factor(rosa, secret=SECRET, code=code_at()), "was turned on"),
            (lambda: reset_second_factor(username="rosa"), "An administrator turned off two-factor"),
        ):
            count = len(smtp.to("rosa@example.com"))
            with django_capture_on_commit_callbacks(execute=True):
                change()
            assert len(smtp.to("rosa@example.com")) == count + 1
            assert sentence in last_text()
            # The change was not made by a request, so no IP address is known.
            assert "IP address" not in last_text()


def test_change_of_an_email_address_is_reported_to_the_old_and_the_new_address(
    hotel: Hotel, browser: Client, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    with hotel_context(hotel), django_capture_on_commit_callbacks(execute=True):
        browser.post("/admin/account/email/", {"email": "new@example.com"})
    for address in ("rosa@example.com", "new@example.com"):
        [message] = smtp.to(address)
        assert "The e-mail address of your account rosa at Hotel Alpha was changed." in text_of(message)
        assert "new@example.com" not in text_of(message)


def test_change_of_an_email_address_by_a_manager_is_reported_to_the_old_and_the_new_address(
    hotel: Hotel, rosa: User, staff: Client, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    form = {"username": "rosa", "full_name": "", "language": "", "role": "manager", "is_active": "on"}
    with hotel_context(hotel), django_capture_on_commit_callbacks(execute=True):
        staff.post(f"/admin/tenants/user/{rosa.pk}/change/", {**form, "email": "new@example.com"})
    assert len(smtp.to("rosa@example.com")) == len(smtp.to("new@example.com")) == 1


def test_new_api_key_is_reported_to_its_creator(
    hotel: Hotel, browser: Client, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    with hotel_context(hotel), django_capture_on_commit_callbacks(execute=True):
        form = {"name": "Channel manager", "scopes": ["rooms:read"], "lifetime": "90"}
        assert browser.post("/admin/tenants/apikey/add/", form).status_code == 200
    [message] = smtp.to("rosa@example.com")
    assert "created the API key “Channel manager”" in text_of(message)


def test_account_without_an_address_receives_no_notice(
    hotel: Hotel, rosa: User, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    with hotel_context(hotel):
        User.objects.update(email="")
        with django_capture_on_commit_callbacks(execute=True):
            set_password(username="rosa", password=NEW_PASSWORD)
    assert smtp.accepted == []


def test_notice_is_in_the_language_of_the_account_and_the_time_of_the_hotel(
    hotel: Hotel, rosa: User, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    with hotel_context(hotel):
        User.objects.update(language="es")
        with django_capture_on_commit_callbacks(execute=True):
            set_password(username="rosa", password=NEW_PASSWORD)
    [message] = smtp.to("rosa@example.com")
    assert "Se cambió la contraseña de su cuenta rosa en Hotel Alpha." in text_of(message)
    assert "(Europe/Lisbon)" in text_of(message)


def test_message_to_the_broker_contains_no_personal_data_and_is_useless_at_another_hotel(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    with hotel_context(hotel):
        text = encrypt_values({"name": "rosa@example.com"})
        assert "rosa" not in text
        assert decrypt_values(text) == {"name": "rosa@example.com"}
    with hotel_context(other_hotel), pytest.raises(InvalidTag):
        decrypt_values(text)

"""Helpers for tests of staff accounts: logins in two steps, codes of an authenticator app, and e-mails."""

import re
import time
from html import unescape
from typing import Any

from django.test import Client
from django_otp.oath import TOTP

from tenants.models import User
from tenants.services import account
from tests.conftest import ALPHA_HOST

PASSWORD = "a-Long-enough-1"
SECRET = b"12345678901234567890"


def code_at(offset: int = 0, *, secret: bytes = SECRET) -> str:
    """Return the code that an authenticator app shows `offset` time steps from now."""
    totp = TOTP(secret)
    totp.time = time.time() + 30 * offset
    return f"{totp.token():06d}"


def add_user(username: str = "rosa", *, role: str = "manager", **fields: Any) -> User:
    """Add an account with an e-mail address and the password PASSWORD to the current tenant."""
    options = {"email": f"{username}@example.com", **fields}
    return User.objects.create_user(username=username, password=PASSWORD, role=role, **options)


def turn_on(user: User) -> list[str]:
    """Turn on two-factor authentication with the secret SECRET. Return the recovery codes.

    The code of the previous time step is used up, so a test can log in with the current code.
    """
    codes = account.turn_on_second_factor(user, secret=SECRET, code=code_at(-1))
    assert codes is not None
    return codes


def log_in(browser: Client, username: str = "rosa", password: str = PASSWORD, **options: Any) -> Any:
    return browser.post("/admin/login/", {"username": username, "password": password}, **options)


def new_browser(host: str = ALPHA_HOST, **options: Any) -> Client:
    return Client(SERVER_NAME=host, **options)


def html(response: Any) -> str:
    return unescape(response.content.decode())


def is_logged_in(browser: Client) -> bool:
    return browser.get("/admin/account/").status_code == 200


def first_link(text: str) -> str:
    """Return the path of the first link in the text of an e-mail."""
    found = re.search(r"https?://[^/\s]+(/\S+)", text)
    assert found is not None
    return found.group(1)

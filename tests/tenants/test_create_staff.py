"""Tests of the command `create_staff`, which creates a staff account of a hotel or of the platform."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from audit.reading.search import timeline
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tests.conftest import ALPHA_HOST

pytestmark = pytest.mark.django_db


def create_staff(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("create_staff", *arguments, "--json", stdout=out, stderr=StringIO())
    output: dict[str, Any] = json.loads(out.getvalue())
    return output


def test_create_staff_creates_a_usable_account_and_records_an_event(hotel: Hotel) -> None:
    rosa = create_staff("rosa", "--hotel", "alpha", "--role", "manager", "--email", "rosa@example.com")
    browser = Client(SERVER_NAME=ALPHA_HOST)
    login = {"username": "rosa", "password": rosa["password"], "next": "/admin/"}
    assert browser.post("/admin/login/", login).status_code == 302
    # The operator knows the password, so the account's first page is the page for a new password.
    assert browser.get("/admin/").headers["Location"] == "/admin/password_change/"
    assert browser.get("/admin/password_change/").status_code == 200
    with hotel_context(hotel):
        event = timeline(kind="user", identifier=rosa["id"]).get(event="staff.added")
        assert (event.actor_id, event.data) == ("create_staff", {"role": "manager"})


def test_create_staff_with_the_option_platform_creates_a_platform_account(hotel: Hotel) -> None:
    create_staff("eva", "--platform", "--role", "platform")
    with platform_context():
        assert User.objects.get(username="eva").role == "platform"
    with hotel_context(hotel):
        assert not User.objects.filter(username="eva").exists()


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["rosa", "--hotel", "nowhere", "--role", "manager"], "no hotel nowhere", 2),
        (["rosa", "--hotel", "alpha", "--role", "platform"], "Valid values: manager", 2),
        (["rosa", "--platform", "--role", "manager"], "Valid values: platform", 2),
        (["rosa", "--hotel", "alpha", "--role", "manager", "--email", "rosa"], "email: ", 2),
        (["x" * 151, "--hotel", "alpha", "--role", "manager"], "username: ", 2),
        (["Anna", "--hotel", "alpha", "--role", "manager"], "user name Anna is already in use", 1),
    ],
)
def test_create_staff_with_invalid_arguments_reports_them_and_creates_nothing(
    hotel: Hotel, arguments: list[str], message: str, code: int
) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="anna", password=None, role="manager")
    with pytest.raises(CommandError, match=message) as error:
        call_command("create_staff", *arguments)
    assert error.value.returncode == code
    with hotel_context(hotel):
        assert User.objects.count() == 1

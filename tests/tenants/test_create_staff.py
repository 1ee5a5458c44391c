"""`manage.py create_staff`."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from audit.selectors import timeline
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tests.conftest import ALPHA_HOST

pytestmark = pytest.mark.django_db


def made(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("create_staff", *arguments, "--json", stdout=out, stderr=StringIO())
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_who_it_makes_can_log_in_and_the_trail_knows(hotel: Hotel) -> None:
    rosa = made("rosa", "--hotel", "alpha", "--role", "manager", "--email", "rosa@example.com")
    browser = Client(SERVER_NAME=ALPHA_HOST)
    login = {"username": "rosa", "password": rosa["password"], "next": "/admin/"}
    assert browser.post("/admin/login/", login).status_code == 302
    assert browser.get("/admin/").status_code == 200
    with hotel_context(hotel):
        told = timeline(kind="user", identifier=rosa["id"]).get(event="staff.added")
        assert (told.actor_label, told.data) == ("create_staff", {"role": "manager"})


def test_it_makes_the_platforms_staff(hotel: Hotel) -> None:
    made("eva", "--platform", "--role", "platform")
    with platform_context():
        assert User.objects.get(username="eva").role == "platform"
    with hotel_context(hotel):
        assert not User.objects.filter(username="eva").exists()


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["rosa", "--hotel", "nowhere", "--role", "manager"], "no hotel nowhere", 2),
        (["rosa", "--hotel", "alpha", "--role", "platform"], "Valid values: manager", 2),
        (["rosa", "--platform", "--role", "manager"], "Valid values: platform", 2),
        (["rosa", "--hotel", "alpha", "--role", "manager", "--email", "rosa"], "email: ", 2),
        (["x" * 151, "--hotel", "alpha", "--role", "manager"], "username: ", 2),
        (["Anna", "--hotel", "alpha", "--role", "manager"], "user name Anna is already in use", 1),
    ],
)
def test_it_says_what_is_wrong_and_makes_nobody(
    hotel: Hotel, arguments: list[str], said: str, code: int
) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="anna", password=None, role="manager")
    with pytest.raises(CommandError, match=said) as error:
        call_command("create_staff", *arguments)
    assert error.value.returncode == code
    with hotel_context(hotel):
        assert User.objects.count() == 1

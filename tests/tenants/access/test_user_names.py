"""Tests of user names. Names that differ only in case or compatibility characters belong to one account."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from hotelagent.admin.account import limits
from hotelagent.core.text import normalize_username
from tenants.context import hotel_context
from tenants.errors import StaffNotFound, UsernameConflict
from tenants.models import Hotel, User
from tenants.services.staff import create_staff, find_staff
from tests.conftest import ALPHA_HOST

pytestmark = pytest.mark.django_db
PASSWORD = "a-Long-enough-1"
DOTLESS = "adm\N{LATIN SMALL LETTER DOTLESS I}n"
DOTTED = "ADM\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}N"
FULL_WIDTH = "\N{FULLWIDTH LATIN SMALL LETTER A}dmin"


@pytest.fixture
def admin(hotel: Hotel) -> User:
    with hotel_context(hotel):
        return User.objects.create_user(username="Admin", password=PASSWORD, role="manager")


def log_in(username: str, password: str = PASSWORD) -> int:
    browser = Client(SERVER_NAME=ALPHA_HOST)
    return browser.post("/admin/login/", {"username": username, "password": password}).status_code


@pytest.mark.parametrize("name", ["admin", "ADMIN", " admin ", FULL_WIDTH])
def test_login_accepts_other_spellings_of_the_user_name(admin: User, name: str) -> None:
    assert log_in(name) == 302


@pytest.mark.parametrize("name", [DOTLESS, DOTTED])
def test_login_refuses_a_different_name_with_the_same_uppercase_form(admin: User, name: str) -> None:
    assert "admin".upper() in (DOTLESS.upper(), "ADMIN")  # the upper-case forms are equal
    assert log_in(name) == 200


def test_spellings_of_a_user_name_share_one_limit_of_login_attempts(admin: User) -> None:
    for number in range(limits.PAIR_RATE.requests):
        assert log_in(["admin", "ADMIN", FULL_WIDTH][number % 3], "wrong") == 200
    assert log_in("Admin") == 429
    assert log_in(DOTLESS) == 200  # the control: another name has a separate limit


def test_account_is_stored_and_found_under_the_normal_form_of_its_name(hotel: Hotel, admin: User) -> None:
    assert admin.username == "admin"
    with hotel_context(hotel):
        assert find_staff(username="ADMIN") == admin
        with pytest.raises(StaffNotFound):
            find_staff(username=DOTLESS)
        with pytest.raises(UsernameConflict):
            create_staff(username=FULL_WIDTH, role="manager")
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.bulk_create([User(username="aDMIN", role="manager")])


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Rosa", "rosa"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        (" rosa\t", "rosa"),
        (DOTLESS, DOTLESS),
    ],
)
def test_normalization_of_a_normalized_user_name_changes_nothing(name: str, normal: str) -> None:
    assert normalize_username(name) == normal
    assert normalize_username(normal) == normal

"""Tests of Django's own commands.

Each command supports hotels, or fails and names the command to use instead.
"""

import datetime
import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from audit.reading.search import timeline
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tests.conftest import ALPHA_HOST
from tests.programs import run_python
from tests.tenants.sessions import add_session, stored_sessions

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        (["dumpdata"], "backup_hotel"),
        (["dumpdata", "tenants.Hotel", "--indent", "2", "--all"], "backup_hotel"),
        (["loaddata", "hotels.json"], "restore_hotel"),
        (["flush", "--no-input"], "erase_hotel"),
        (["createsuperuser", "--username", "eva"], "create_staff"),
    ],
)
def test_django_command_without_support_for_hotels_names_a_replacement(
    command: list[str], instead: str
) -> None:
    result = run_python("manage.py", *command, environment=None)
    assert result.returncode == 2
    assert result.stdout == ""
    assert instead in result.stderr
    assert "Traceback" not in result.stderr


def test_dumpdata_run_with_call_command_is_refused() -> None:
    with pytest.raises(CommandError, match="backup_hotel"):
        call_command("dumpdata")


def test_clearsessions_deletes_the_expired_sessions_of_the_platform_and_of_all_hotels(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    for context in (platform_context(), hotel_context(hotel), hotel_context(other_hotel)):
        with context:
            for key, year in (("old", 2000), ("new", 2100)):
                add_session(key, datetime.datetime(year, 1, 1, tzinfo=datetime.UTC))
    out = io.StringIO()
    call_command("clearsessions", stdout=out)
    assert out.getvalue() == "Deleted 3 rows.\n"
    for context in (platform_context(), hotel_context(hotel), hotel_context(other_hotel)):
        with context:
            assert stored_sessions("old", "new") == ["new"]


def change_password(monkeypatch: pytest.MonkeyPatch, password: str, *arguments: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(password))
    call_command("changepassword", *arguments, stdout=io.StringIO())


def log_in(host: str, username: str, password: str) -> int:
    form = {"username": username, "password": password, "next": "/admin/"}
    return Client(SERVER_NAME=host).post("/admin/login/", form).status_code


@pytest.mark.parametrize(
    ("host", "tenant"), [(ALPHA_HOST, ["--hotel", "alpha"]), ("localhost", ["--platform"])]
)
def test_changepassword_ends_all_sessions_and_records_an_event(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch, host: str, tenant: list[str]
) -> None:
    browser = Client(SERVER_NAME=host)
    with hotel_context(hotel) if host == ALPHA_HOST else platform_context():
        role = "manager" if host == ALPHA_HOST else "platform"
        eva = User.objects.create_user(username="Eva", password="an-Old-one-1", role=role)
        browser.force_login(eva)
    change_password(monkeypatch, "a-New-one-22\n", "eva", *tenant)
    assert log_in(host, "Eva", "an-Old-one-1") == 200
    assert log_in(host, "Eva", "a-New-one-22") == 302
    assert browser.get("/admin/").status_code == 302
    with hotel_context(hotel) if host == ALPHA_HOST else platform_context():
        event = timeline(kind="user", identifier=str(eva.pk)).get(event="staff.password_set")
        assert event.actor_id == "changepassword"


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        ("rosa", "a-New-one-22", ("no staff member with the user name rosa", 2)),
        ("eva", "12345", ("too short", 2)),
        ("eva", "", ("No password was entered", 1)),
    ],
)
def test_changepassword_with_an_unknown_user_or_invalid_password_fails_with_a_message(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch, username: str, password: str, expected: tuple[str, int]
) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="eva", password="an-Old-one-1", role="manager")
    message, code = expected
    with pytest.raises(CommandError, match=message) as error:
        change_password(monkeypatch, password, username, "--hotel", "alpha")
    assert error.value.returncode == code
    assert log_in(ALPHA_HOST, "eva", "an-Old-one-1") == 302

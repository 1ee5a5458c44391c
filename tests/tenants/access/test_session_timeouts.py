"""Tests of the sessions of the admin: the idle timeout, the absolute timeout, and what the table stores."""

import datetime
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from tenants.access.sessions import session_id
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, Session, User
from tests.conftest import ALPHA_HOST

pytestmark = pytest.mark.django_db
MINUTE = datetime.timedelta(minutes=1)


def session_of(browser: Client) -> Any:
    """Return the query set with the row of the browser's session, in the current context."""
    return Session.objects.filter(id=session_id(browser.cookies[settings.SESSION_COOKIE_NAME].value))


def age_session(browser: Client, **minutes: int) -> None:
    """Set columns of the browser's session in the current context to times that are some minutes in the past."""
    now = timezone.now()
    session_of(browser).update(**{name: now - number * MINUTE for name, number in minutes.items()})


@pytest.fixture
def operator(db: None) -> Client:
    browser = Client(SERVER_NAME="localhost")
    with platform_context():
        browser.force_login(User.objects.create_user(username="operator", password=None, role="platform"))
    return browser


@pytest.mark.parametrize(("idle", "status"), [(29, 200), (31, 302)])
def test_session_of_platform_staff_ends_after_30_idle_minutes(
    operator: Client, idle: int, status: int
) -> None:
    with platform_context():
        age_session(operator, last_used_at=idle)
    assert operator.get("/admin/").status_code == status


@pytest.mark.parametrize(("idle", "status"), [(479, 200), (481, 302)])
def test_session_of_hotel_staff_ends_after_eight_idle_hours(
    hotel: Hotel, staff: Client, idle: int, status: int
) -> None:
    with hotel_context(hotel):
        age_session(staff, last_used_at=idle)
    assert staff.get("/admin/").status_code == status


def test_request_extends_the_idle_timeout_but_an_automatic_refresh_does_not(
    hotel: Hotel, staff: Client
) -> None:
    for headers, is_extended in ({"sec-fetch-dest": "empty"}, False), ({"sec-fetch-dest": "document"}, True):
        with hotel_context(hotel):
            age_session(staff, last_used_at=5)
        assert staff.get("/admin/", headers=headers).status_code == 200
        with hotel_context(hotel):
            assert (timezone.now() - session_of(staff).get().last_used_at < MINUTE) is is_extended


def test_session_ends_twelve_hours_after_the_login_although_it_is_used(hotel: Hotel, staff: Client) -> None:
    with hotel_context(hotel):
        row = session_of(staff).get()
        assert row.expires_at - row.created_at == datetime.timedelta(hours=12)
    with hotel_context(hotel):
        store = staff.session
        store["_started"] -= 3600
        store.save()  # changes of the session's data do not extend the absolute timeout
        assert (session_of(staff).get().expires_at - row.expires_at).total_seconds() == pytest.approx(
            -3600, abs=1
        )
        session_of(staff).update(expires_at=timezone.now())
    assert staff.get("/admin/").status_code == 302


def test_login_restarts_the_absolute_timeout_of_an_existing_session(hotel: Hotel) -> None:
    browser = Client(SERVER_NAME=ALPHA_HOST)
    with hotel_context(hotel):
        user = User.objects.create_user(username="rosa", password="a-Long-enough-1", role="manager")
        store = browser.session
        store["_started"] -= 11 * 3600
        store.save()
        old = session_of(browser).get().expires_at
    browser.post("/admin/login/", {"username": "rosa", "password": "a-Long-enough-1"})
    with hotel_context(hotel):
        new = Session.objects.get(user_id=user.pk).expires_at
    assert (new - old).total_seconds() == pytest.approx(11 * 3600, abs=30)


def test_session_table_stores_the_client_and_a_digest_of_the_session_key(hotel: Hotel) -> None:
    browser = Client(SERVER_NAME=ALPHA_HOST, REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT="Browser/1.0\0")
    with hotel_context(hotel):
        user = User.objects.create_user(username="rosa", password="a-Long-enough-1", role="manager")
    browser.post("/admin/login/", {"username": "rosa", "password": "a-Long-enough-1"})
    key = browser.cookies[settings.SESSION_COOKIE_NAME].value
    with hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute("SELECT tenants_session::text FROM tenants_session")
        [(text,)] = cursor.fetchall()
        row = Session.objects.get(user_id=user.pk)
    assert key not in text
    assert (row.ip, row.user_agent) == ("192.0.2.7", "Browser/1.0\N{REPLACEMENT CHARACTER}")
    # The id of the row cannot be used as a session key.
    browser.cookies[settings.SESSION_COOKIE_NAME] = str(row.id)
    assert browser.get("/admin/").status_code == 302

"""Tests that the platform's staff can open the pages of a hotel only with a support session.

The accounts, sessions and API keys of the platform are not valid at a hotel. The platform can invite a manager only if
the hotel has no manager (tests/tenants/test_invitations.py). Operators with a shell can create accounts with
`create_staff`, which the hotel's audit trail records.
"""

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from hotelagent.admin.sites import platform_site
from tenants.access import api_keys
from tenants.access.sessions import SessionStore
from tenants.context import hotel_context, platform_context
from tenants.database.placement import Placement, placement_of
from tenants.models import Hotel, SupportSession, User
from tenants.scopes import HOTEL_SCOPES, PLATFORM_SCOPES, Role, role_scopes
from tenants.support.backend import BACKEND, find_open_session
from tests.conftest import ALPHA_HOST
from tests.tenants.support.conftest import OpenHotel

BETA_HOST = "beta.localhost"
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.django_db


def forge_session(hotel: Hotel, session: SupportSession) -> Client:
    """Return a client with a login session in the hotel's own table that names the support session."""
    browser = Client(SERVER_NAME=f"{hotel.slug}.localhost")
    with hotel_context(hotel):
        store = SessionStore()
        store[SESSION_KEY], store[BACKEND_SESSION_KEY] = str(session.pk), BACKEND
        store.save()
    browser.cookies["hotelagent_session"] = str(store.session_key)
    return browser


def test_password_of_platform_staff_is_not_valid_at_a_hotel(hotel: Hotel) -> None:
    with platform_context():
        User.objects.create_user(username="eva", password=PASSWORD, role=Role.PLATFORM)
    login = {"username": "eva", "password": PASSWORD}
    assert Client(SERVER_NAME="localhost").post("/admin/login/", login).status_code == 302
    browser = Client(SERVER_NAME=ALPHA_HOST)
    assert browser.post("/admin/login/", login).status_code == 200
    assert browser.get("/admin/").status_code == 302


def test_session_of_platform_staff_is_not_valid_at_a_hotel(operator: Client, hotel: Hotel) -> None:
    assert operator.get("/admin/").status_code == 200
    assert operator.get("/admin/", SERVER_NAME=ALPHA_HOST).status_code == 302


def test_api_key_of_the_platform_is_not_valid_at_a_hotel(hotel: Hotel) -> None:
    with platform_context():
        _key, text = api_keys.create(name="platform", scopes=PLATFORM_SCOPES)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    assert client.get("/api/v1/hotels/", SERVER_NAME="localhost").status_code == 200
    assert client.get("/api/v1/rooms/", SERVER_NAME=ALPHA_HOST).status_code == 401


def test_support_session_of_one_hotel_is_not_valid_at_another_hotel(
    open_hotel: OpenHotel, hotel: Hotel, other_hotel: Hotel
) -> None:
    browser = open_hotel()
    assert browser.get("/admin/").status_code == 200
    assert browser.get("/admin/", SERVER_NAME=BETA_HOST).status_code == 302
    assert browser.get("/admin/", SERVER_NAME="localhost").status_code == 302
    with platform_context():
        session = SupportSession.objects.get()
    # A forged login session shows that the session's hotel is checked, and not only the table of the login session.
    assert forge_session(hotel, session).get("/admin/").status_code == 200
    assert forge_session(other_hotel, session).get("/admin/").status_code == 302


def test_support_session_that_was_not_opened_with_its_link_is_not_valid(
    open_hotel: OpenHotel, hotel: Hotel
) -> None:
    open_hotel()
    with platform_context():
        session = SupportSession.objects.get()
    with hotel_context(hotel):
        assert find_open_session(session.pk) is not None
    with platform_context():
        SupportSession.objects.update(opened_at=None)
    with hotel_context(hotel):
        assert find_open_session(session.pk) is None
    assert forge_session(hotel, session).get("/admin/").status_code == 302


def test_role_of_the_hotel_cannot_read_or_create_support_sessions(
    open_hotel: OpenHotel, hotel: Hotel
) -> None:
    """Without privileges on the table, SQL that runs in a hotel's context cannot extend a session."""
    open_hotel()
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.tenants_supportsession")
        assert cursor.fetchone() == (1,)
    for statement in (
        "SELECT count(*) FROM public.tenants_supportsession",
        "UPDATE public.tenants_supportsession SET expires_at = now() + interval '1 day'",
    ):
        with (
            hotel_context(hotel),
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_platform_admin_has_no_page_with_tables_of_hotels() -> None:
    for model in platform_site._registry:
        assert placement_of(model._meta.app_label, model._meta.model_name) is not Placement.HOTEL


def test_platform_role_has_no_scope_for_rooms_reservations_or_reminders() -> None:
    only_hotel = set(HOTEL_SCOPES) - set(PLATFORM_SCOPES)
    assert {"rooms:read", "reservations:read", "reminders:read"} <= only_hotel
    assert not role_scopes(Role.PLATFORM) & only_hotel

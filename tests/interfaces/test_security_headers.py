"""Tests of the HTTP headers that protect every kind of response: pages, API resources, errors and files."""

import pytest
from django.test import Client
from rest_framework.test import APIClient

from tenants.models import Hotel
from tests.interfaces.conftest import HOST

pytestmark = pytest.mark.django_db

PAGES = ("/admin/login/", "/", "/api/docs/", "/problems/", "/unsubscribe/x/", "/missing/")
API = ("/api/v1/rooms/", "/api/v1/missing/", "/api/schema/?format=json")


@pytest.mark.parametrize("path", [*PAGES, *API])
def test_response_has_the_security_headers(api: APIClient, path: str) -> None:
    headers = api.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not [name for name in headers if name.lower().startswith("access-control-")]
    assert headers["Content-Type"].startswith(
        (
            "text/html; charset=utf-8",
            "application/json",
            "application/problem+json",
            "application/vnd.oai.openapi+json",
        )
    )


def test_pages_with_personal_data_must_not_be_stored_by_caches(staff: Client, api: APIClient) -> None:
    page = staff.get("/admin/reminders/reservation/")
    assert {"private", "no-store"} <= set(page.headers["Cache-Control"].split(", "))
    assert api.get("/api/v1/reservations/").headers["Cache-Control"] == "no-store"


def test_session_is_ended_on_the_server_at_logout(staff: Client, hotel: Hotel) -> None:
    stolen = Client(SERVER_NAME=HOST)
    stolen.cookies.load({name: cookie.value for name, cookie in staff.cookies.items()})
    assert stolen.get("/admin/").status_code == 200
    staff.post("/admin/logout/")
    assert stolen.get("/admin/").status_code == 302

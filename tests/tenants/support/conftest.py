"""Fixtures for the tests of support sessions: a member of the platform's staff, and browsers in a hotel."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from tenants.context import platform_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.conftest import ALPHA_HOST

REASON = "Ticket 4711: the board shows no rooms"
#: The type of the fixture `open_hotel`.
OpenHotel = Callable[..., Client]


def link_of(operator: Client, hotel: Hotel, *, role: str = Role.AUDITOR) -> str:
    """Request a support session on the platform's page, and return the link that opens the hotel's admin."""
    values = {"reason": REASON, "minutes": "15", "role": role}
    response = operator.post(f"/admin/tenants/hotel/{hotel.id}/support/", values)
    assert "no-store" in response["Cache-Control"]
    found = re.search(r'href="(http://[^"]+/admin/support/\?token=[^"]+)"', response.content.decode())
    assert found, response.content.decode()
    return unescape(found[1])


@pytest.fixture
def eva(operator: Client) -> User:
    """Return the account of the member of the platform's staff who is logged in to the client `operator`."""
    with platform_context():
        return User.objects.get(username="operator")


@pytest.fixture
def open_hotel(operator: Client, hotel: Hotel) -> OpenHotel:
    """Return a function that opens a support session of the hotel Alpha, and returns its test client."""

    def open_admin(role: str = Role.AUDITOR) -> Client:
        browser = Client(SERVER_NAME=ALPHA_HOST)
        assert browser.get(link_of(operator, hotel, role=role)).status_code == 302
        return browser

    return open_admin

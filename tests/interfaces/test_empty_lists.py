"""Tests of what empty lists of the admin say, and of the links that they show."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from locks.nights import Nights
from locks.selectors import today
from locks.services import NewRoom, close_room, create_room
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.browser import PHONE, OpenPage, screenshot

pytestmark = pytest.mark.django_db


def results_of(client: Client, path: str) -> str:
    """Return the part of the page below the search field, which does not contain the menu."""
    return unescape(client.get(path).content.decode()).partition('id="changelist-form"')[2]


@pytest.mark.parametrize(
    ("path", "text", "link"),
    [
        (
            "tenants/apikey/",
            "There are no API keys yet. Add a key for each system",
            "/admin/tenants/apikey/add/",
        ),
        ("locks/webhook/", "There are no webhooks yet. Add the URL of a system", "/admin/locks/webhook/add/"),
        ("locks/webhookdelivery/", "No events have been delivered yet.", "/admin/locks/webhook/"),
        ("locks/waitinglistentry/", "No guest is on the waiting list.", "/admin/locks/room/board/"),
        ("reminders/reservationimport/", "Choose a file above, and upload it to start an import.", ""),
        ("reminders/roomimport/", "Choose a file above, and upload it to start an import.", ""),
        ("audit/event/?request_id=zzz", "No event matches all filters. Choose a longer period", "?"),
        ("tenants/user/?q=zzz", "No results match your search and filters.", "?"),
    ],
)
def test_empty_list_says_what_to_do_and_links_to_the_next_step(
    staff: Client, in_hotel: Hotel, path: str, text: str, link: str
) -> None:
    results = results_of(staff, f"/admin/{path}")
    assert text in results
    assert not link or f'href="{link}"' in results


def test_empty_list_shows_no_step_that_the_role_does_not_allow(staff: Client, in_hotel: Hotel) -> None:
    assert 'href="/admin/tenants/apikey/add/"' in results_of(staff, "/admin/tenants/apikey/")
    assert "start an import" in results_of(staff, "/admin/reminders/roomimport/")
    User.objects.update(role=Role.AUDITOR)
    assert 'href="/admin/tenants/apikey/add/"' not in results_of(staff, "/admin/tenants/apikey/")
    imports = results_of(staff, "/admin/reminders/roomimport/")
    assert "There are no uploaded files." in imports
    assert "start an import" not in imports


@pytest.mark.django_db(transaction=True)
def test_list_without_checkboxes_has_no_label_for_checkboxes_on_phones(
    open_as_manager: OpenPage, hotel: Hotel
) -> None:
    with hotel_context(hotel):
        room = create_room(NewRoom(number="101", room_type="Double"))
        close_room(room=room.pk, nights=Nights(today(), today() + timedelta(days=1)), reason="Paint")
    label = """cell => getComputedStyle(cell, "::before").content"""
    with open_as_manager("/admin/locks/allocation/", **PHONE) as page:
        cells = page.locator("#result_list .data-row > *")
        assert cells.nth(0).evaluate(label) == "none"
        assert cells.nth(1).evaluate(label) == '"Room"'
        screenshot(page, "holds-and-stays-phone")
    # For comparison, a list with checkboxes shows the label of the checkboxes.
    with hotel_context(hotel):
        api_keys.create(name="Booking engine", scopes=["rooms:read"])
    with open_as_manager("/admin/tenants/apikey/", **PHONE) as page:
        cells = page.locator("#result_list .data-row > *")
        assert cells.nth(0).evaluate(label) == '"Select record"'
    with hotel_context(hotel):
        User.objects.update(language="es")
    with open_as_manager("/admin/", **PHONE, locale="es") as page:
        for name in ("locks/waitinglistentry", "reminders/reservationimport", "locks/webhook"):
            page.goto(f"/admin/{name}/")
            screenshot(page, f"empty-{name.replace('/', '-')}-es-phone")

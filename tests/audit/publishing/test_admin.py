"""Tests of the admin page "Publication": checkpoints, targets, errors and the auditor's e-mail address."""

from typing import Any

import pytest
from django.test import Client

from audit import tasks
from audit.models import Event
from audit.publishing.models import Auditor
from audit.registry import EventType
from audit.sealing.events import AUDITOR_CHANGED
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.audit.sealing.trails import record_events, seal_trail
from tests.audit.test_admin import client_with_role
from tests.servers import MailServer

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/audit/auditor/"
ADDRESS = "auditor@audit.example"


@pytest.fixture
def platform_staff() -> Client:
    with platform_context():
        user = User.objects.create_user(username="chief", password=None, role=Role.PLATFORM)
        client = Client(SERVER_NAME="localhost")
        client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def _sealed(hotel: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(hotel):
        record_events(lamp_lit, 3)
    seal_trail(hotel.tenant)


def test_change_of_the_auditor_address_by_a_manager_is_recorded(staff: Client, hotel: Hotel) -> None:
    saved = staff.post(PAGE, {"email": ADDRESS, "language": "es"}, follow=True)
    assert ADDRESS in saved.content.decode()
    with hotel_context(hotel):
        auditor = Auditor.objects.get()
        assert (auditor.email, auditor.language) == (ADDRESS, "es")
        assert Event.objects.filter(event=AUDITOR_CHANGED.name).count() == 1
    refused = staff.post(PAGE, {"email": "not an address", "language": "es"})
    assert "errorlist" in refused.content.decode()
    with hotel_context(hotel):
        assert Auditor.objects.get().email == ADDRESS


def test_auditor_sees_the_publication_page_but_cannot_change_the_email_address(hotel: Hotel) -> None:
    client = client_with_role(Role.AUDITOR, hotel)
    assert "Newest checkpoint" in client.get(PAGE).content.decode()
    client.post(PAGE, {"email": ADDRESS, "language": "en"})
    with hotel_context(hotel):
        assert not Auditor.objects.exists()
    assert client_with_role(Role.FRONT_DESK, hotel).get(PAGE).status_code == 403


def test_publication_page_shows_the_newest_checkpoint_and_the_result_of_its_verification(
    staff: Client, hotel: Hotel
) -> None:
    assert "not verified yet" in staff.get(PAGE).content.decode()
    with hotel_context(hotel):
        tasks.verify([str(hotel.id)])
    page = staff.get(PAGE).content.decode()
    assert f"localhost/audit/{hotel.id}" in page
    assert '<span class="trail-good">valid</span>' in page


def test_publication_error_is_shown_to_the_hotel_and_to_the_platform(
    staff: Client, platform_staff: Client, hotel: Hotel, smtp: MailServer, settings: Any
) -> None:
    settings.AUDIT_PUBLISH_DIRECTORY = "/nonexistent/checkpoints"
    staff.post(PAGE, {"email": ADDRESS, "language": "en"})
    smtp.refuse(ADDRESS)
    with platform_context():
        tasks.publish_all()
        tasks.email_checkpoints()
    hotel_page = staff.get(PAGE).content.decode()
    assert "with the status 550" in hotel_page
    assert "The checkpoint could not be published." in hotel_page
    assert "nonexistent" not in hotel_page
    platform_page = platform_staff.get(PAGE).content.decode()
    assert "with the status 550" in platform_page
    assert "/nonexistent/checkpoints" in platform_page
    assert hotel.name in platform_page


def test_platform_page_without_failures_says_that_no_publication_has_failed(platform_staff: Client) -> None:
    assert "No publication has failed." in platform_staff.get(PAGE).content.decode()

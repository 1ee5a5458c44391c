"""Tests of the start page of the platform's admin in a browser, on a desktop and on a phone."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from dlq.alerts.models import FailureFigures
from tenants.context import platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel, HotelFigures
from tests.browser import Screen, fits_width, screenshot

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("Mar Azul", "Sierra Blanca", "Puerta del Sol", "Las Palmas", "Costa Verde", "Gran Vía", "El Faro")


@pytest.fixture
def _hotels(hotel: Hotel) -> None:
    """Add hotels of the last months, with failures, due items and e-mails."""
    with platform_context():
        now = database_now()
        for number, name in enumerate(NAMES):
            new = Hotel.objects.create(
                slug=f"h{number}", name=f"Hotel {name}", schema=f"hotel_h{number}", status="active"
            )
            Hotel.objects.filter(pk=new.pk).update(created_at=now - timedelta(days=31 * number))
            FailureFigures.objects.create(tenant_id=new.pk, open_by_status={"permanent": number})
            HotelFigures.objects.create(
                hotel=new, counted_at=now, mails_sent=120 * number, mails_bounced=number
            )
            due_at = now - timedelta(seconds=40 * number)
            DueItem.objects.create(
                hotel=new, kind="reminder", item_id=uuid4(), due_at=due_at, claim_at=due_at
            )


@pytest.mark.usefixtures("_hotels")
def test_start_page_and_list_of_hotels_fit_the_screen(screen: Screen, operator: Client) -> None:
    with screen.open(operator, "/admin/", host="localhost") as page:
        assert page.locator(".ha-card").count() >= 7
        assert page.get_by_text("Hotel El Faro").count() >= 1
        assert fits_width(page)
        screenshot(page, f"platform-start-{screen.name}")
        page.goto("/admin/figures/?order=wait")
        assert page.locator("tbody tr").count() == 9
        assert fits_width(page)
        screenshot(page, f"platform-figures-{screen.name}")

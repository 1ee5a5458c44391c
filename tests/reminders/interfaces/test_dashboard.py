"""Tests of the panels with arrivals and reminders on the start page of a hotel's admin."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from locks.selectors import today
from reminders.models import Reservation
from tenants.context import hotel_context
from tenants.models import Hotel

pytestmark = pytest.mark.django_db


def test_start_page_lists_the_guests_arriving_today(
    staff: Client, hotel: Hotel, book: Callable[..., Reservation]
) -> None:
    with hotel_context(hotel):
        day = today()
    guest = book("R1", f"{day}", f"{day + timedelta(days=2)}")
    other = book("R2", f"{day + timedelta(days=1)}", f"{day + timedelta(days=2)}")
    content = staff.get("/admin/").content.decode()
    assert f"/admin/reminders/reservation/{guest.id}/change/" in content
    assert f"/admin/reminders/reservation/{other.id}/change/" not in content


def test_start_page_without_arrivals_shows_only_the_chart(
    staff: Client, book: Callable[..., Reservation]
) -> None:
    content = staff.get("/admin/").content.decode()
    assert "ha-chart" in content
    assert "rm-arrivals" not in content

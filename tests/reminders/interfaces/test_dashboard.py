"""Tests of the order of the panels on the start page of a hotel's admin."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_start_page_shows_the_chart_of_reminders_below_the_guests_of_today(staff: Client) -> None:
    content = staff.get("/admin/").content.decode()
    assert content.index("dl-today") < content.index("ha-cards") < content.index("ha-chart")

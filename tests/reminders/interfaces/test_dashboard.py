"""Tests of the panels and cards on the start page of a hotel's admin."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

pytestmark = pytest.mark.django_db


def test_start_page_shows_the_chart_of_reminders_below_the_guests_of_today(staff: Client) -> None:
    content = staff.get("/admin/").content.decode()
    assert content.index("dl-today") < content.index("ha-cards") < content.index("ha-chart")


def test_start_page_counts_the_guests_of_today_with_one_query(staff: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        content = staff.get("/admin/").content.decode()
    assert ("dl-tabs" in content, "Arrivals today" in content) == (True, True)
    assert len([query for query in queries if "expected_arrivals" in query["sql"]]) == 1

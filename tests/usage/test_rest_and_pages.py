"""Tests of the REST API and of the admin pages of the daily usage."""

import datetime
from datetime import UTC, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tests.conftest import ALPHA_HOST
from tests.usage.rows import DAY, add_usage

pytestmark = pytest.mark.django_db
URL = "/api/v1/usage/"
PAGE = "/admin/usage/"


@pytest.fixture
def today() -> datetime.date:
    return datetime.datetime.now(UTC).date()


@pytest.fixture
def _rows(hotel: Hotel, other_hotel: Hotel, today: datetime.date) -> None:
    with platform_context():
        for number in range(1, 31):
            recent = number <= 7
            add_usage(
                hotel,
                today - number * DAY,
                reservations=12 if recent else 8,
                api_calls=1500,
                storage_bytes=3_500_000,
            )
        add_usage(other_hotel, today - DAY, reservations=100, api_calls=None, storage_bytes=None)


def client_of(*scopes: str, hotel: Hotel | None = None) -> APIClient:
    with hotel_context(hotel) if hotel else platform_context():
        _key, secret = api_keys.create(name="usage", scopes=scopes)
    client = APIClient(SERVER_NAME=ALPHA_HOST if hotel else "localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.mark.usefixtures("_rows")
def test_hotel_reads_only_its_own_usage(hotel: Hotel, api: APIClient, today: datetime.date) -> None:
    page = api.get(URL, {"page_size": 200}).json()["results"]
    assert len(page) == 30
    assert {row["hotel"] for row in page} == {str(hotel.id)}
    days = {"day_from": str(today - 3 * DAY), "day_to": str(today - 2 * DAY)}
    found = api.get(URL, days).json()["results"]
    assert sorted(row["day"] for row in found) == [str(today - 3 * DAY), str(today - 2 * DAY)]
    assert (found[0]["reservations"], found[0]["api_calls"], found[0]["storage_bytes"]) == (
        12,
        1500,
        3_500_000,
    )


@pytest.mark.usefixtures("_rows")
def test_platform_reads_the_usage_of_all_hotels_or_of_one_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    client = client_of("usage:read")
    rows = client.get(URL, {"page_size": 200}).json()["results"]
    assert {row["hotel"] for row in rows} == {str(hotel.id), str(other_hotel.id)}
    [row] = client.get(URL, {"hotel": str(other_hotel.id)}).json()["results"]
    assert (row["reservations"], row["api_calls"], row["storage_bytes"]) == (100, None, None)


def test_usage_requires_its_scope_and_refuses_unknown_filters(hotel: Hotel) -> None:
    assert client_of("hotels:read").get(URL).status_code == 403
    assert client_of("rooms:read", hotel=hotel).get(URL).status_code == 403
    client = client_of("usage:read", hotel=hotel)
    assert client.get(URL).status_code == 200
    response = client.get(URL, {"hotel": str(hotel.id)})
    assert response.status_code == 400
    assert "Allowed parameters: cursor, day_from, day_to, page_size." in response.content.decode()
    assert client.get(URL, {"day_from": "yesterday"}).status_code == 400


@pytest.mark.usefixtures("_rows")
def test_usage_list_shows_sums_of_seven_days_with_their_growth(operator: Client) -> None:
    rows = {row.name: (row, cells) for row, cells in operator.get(PAGE).context["rows"]}
    assert list(rows) == ["Hotel Beta", "Hotel Alpha"]
    row, cells = rows["Hotel Alpha"]
    assert (row.last["reservations"], row.before["reservations"]) == (84, 56)
    assert cells[0] == ("84", 50)
    assert cells[5] == ("10,500", 0)
    assert cells[6] == ("3.3\xa0MB", None)
    beta, cells = rows["Hotel Beta"]
    assert beta.growth["reservations"] is None
    assert cells[6] == ("-", None)
    assert [row.name for row, _cells in operator.get(PAGE, {"order": "api_calls"}).context["rows"]] == [
        "Hotel Alpha",
        "Hotel Beta",
    ]
    assert operator.get(PAGE, {"order": "nonsense"}).status_code == 200


@pytest.mark.usefixtures("_rows")
def test_usage_page_of_a_hotel_shows_the_growth_from_week_to_week(operator: Client, hotel: Hotel) -> None:
    context: Any = operator.get(f"{PAGE}{hotel.pk}/").context
    [reservations] = [chart for chart in context["charts"] if chart.title == "New reservations"]
    # The chart shows four complete weeks. A fifth week, of which only two days were counted, is left out.
    assert [(bar.text, bar.height) for bar in reservations.bars] == [
        ("56", 67),
        ("56", 67),
        ("56", 67),
        ("84", 100),
    ]
    [storage] = [chart for chart in context["charts"] if chart.title == "Storage"]
    assert {bar.text for bar in storage.bars} == {"3.3\xa0MB"}
    assert len(context["days"]) == 14


def test_usage_page_of_a_hotel_says_that_no_day_has_been_counted(
    operator: Client, hotel: Hotel, staff: Client
) -> None:
    page = operator.get(f"{PAGE}{hotel.pk}/")
    assert "No day of this hotel has been counted yet." in page.content.decode()
    assert f"{PAGE}{hotel.pk}/" in operator.get(f"/admin/tenants/hotel/{hotel.pk}/change/").content.decode()
    assert operator.get(f"{PAGE}00000000-0000-7000-8000-000000000000/").status_code == 404
    assert staff.get(PAGE).status_code == 404
    assert Client(SERVER_NAME="localhost").get(PAGE).status_code == 302


def test_usage_list_runs_the_same_number_of_queries_for_any_number_of_hotels(
    operator: Client, today: datetime.date
) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert operator.get(PAGE).status_code == 200
        return len(queries)

    count_queries()
    few = count_queries()
    with platform_context():
        for number in range(20):
            add_usage(
                Hotel.objects.create(
                    slug=f"h{number}", name=f"H{number}", schema=f"hotel_h{number}", status="active"
                ),
                today - timedelta(days=2),
            )
    assert count_queries() == few

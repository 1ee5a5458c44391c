"""Tests of the Prometheus metrics of the usage of hotels."""

import datetime
from datetime import UTC
from typing import Any

import pytest
from django.test import Client

from hotelagent.usage import metrics, selectors
from hotelagent.usage.selectors import CURRENT, DAILY, LatestUsage
from tenants.context import platform_context
from tenants.models import Hotel
from tests.usage.rows import DAY, add_usage

Series = dict[tuple[str, ...], float]


def series(rows: list[LatestUsage], name: str, *, top: int) -> Series:
    [metric] = [m for m in metrics.build_metrics(rows, behind=0, top=top) if m.name == name]
    return {tuple(sample.labels.values()): sample.value for sample in metric.samples}


def latest(slug: str, api_calls: int | None, usual: float | None = None) -> LatestUsage:
    numbers: dict[str, int | None] = {**dict.fromkeys((*DAILY, *CURRENT), 0), "api_calls": api_calls}
    return LatestUsage(slug=slug, numbers=numbers, usual={**dict.fromkeys(DAILY), "api_calls": usual})


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_cached", None)


def test_metrics_contain_the_sum_of_the_hotels_beyond_the_limit() -> None:
    rows = [latest(f"h{number}", number) for number in range(100)]
    found = series(rows, "hotelagent_hotel_daily", top=3)
    calls = {labels[0]: value for labels, value in found.items() if labels[1] == "api_calls"}
    assert calls == {"h99": 99, "h98": 98, "h97": 97, "(other)": sum(range(97))}
    assert len(series(rows, "hotelagent_hotel_staff_accounts", top=3)) == 4


def test_metrics_with_a_limit_of_zero_contain_only_the_sum_of_all_hotels() -> None:
    found = series([latest("a", 5, 5.0), latest("b", 7, 7.0)], "hotelagent_hotel_daily", top=0)
    assert found["(other)", "api_calls"] == 12
    assert {labels[0] for labels in found} == {"(other)"}


def test_metrics_contain_small_hotels_whose_numbers_are_unusual() -> None:
    rows = [latest(f"h{number}", 1000 + number, 1000.0) for number in range(20)]
    rows += [latest("rising", 400, 4.0), latest("calm", 400, 400.0), latest("stopped", 0, 300.0)]
    shown = {labels[0] for labels in series(rows, "hotelagent_hotel_daily_usual", top=2)}
    assert shown == {"h18", "h19", "rising", "stopped"}


def test_metrics_omit_a_number_that_was_not_counted() -> None:
    found = series([latest("a", None)], "hotelagent_hotel_daily", top=5)
    assert ("a", "api_calls") not in found
    assert found["a", "holds"] == 0


@pytest.mark.django_db
def test_usual_number_is_the_median_of_the_same_weekday(hotel: Hotel, other_hotel: Hotel) -> None:
    today = datetime.date(2031, 7, 10)
    with platform_context():
        for days, number in ((1, 50), (8, 10), (15, 30), (22, 12), (29, 11), (2, 999), (36, 999)):
            add_usage(hotel, today - days * DAY, reservations=number, api_calls=None)
        for days in (1, 8, 15):
            add_usage(other_hotel, today - days * DAY, reservations=5)
        alpha, beta = sorted(selectors.read_latest(today), key=lambda row: row.slug)
        assert (alpha.numbers["reservations"], alpha.usual["reservations"]) == (50, 11.5)
        assert (alpha.numbers["api_calls"], alpha.usual["api_calls"]) == (None, None)
        assert beta.usual["reservations"] is None  # two weeks are not enough for a median
        assert selectors.read_latest(today + 4 * DAY) == []


@pytest.mark.django_db
def test_metrics_page_shows_the_usage_of_hotels(hotel: Hotel, settings: Any) -> None:
    settings.METRICS_TOP_HOTELS = 1
    with platform_context():
        add_usage(hotel, datetime.datetime.now(UTC).date() - DAY, reservations=7, storage_bytes=123)
    # The thread that reads the metrics does not see the rows of this transaction, so the test reads the metrics.
    page = [str(metric) for metric in metrics.read_metrics()]
    assert any("'hotel': 'alpha', 'figure': 'reservations'}, value=7" in text for text in page)
    response = Client(SERVER_NAME="localhost").get("/metrics")
    assert 'hotelagent_hotel_storage_bytes{hotel="alpha"} 123.0' in response.content.decode()

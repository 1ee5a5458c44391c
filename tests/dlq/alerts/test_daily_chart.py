"""Tests of the chart of failures by day on the admin page of failures."""

import datetime
import zoneinfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from dlq import services
from dlq.admin.daily_chart import DAYS, DayCounts, daily_counts
from dlq.retries import runner
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, capture_failure, make_due

pytestmark = pytest.mark.django_db


def counts_of_today() -> DayCounts:
    return daily_counts()[timezone.localdate()]


def test_chart_counts_each_change_of_a_failure_on_the_day_of_the_change(in_hotel: Hotel, lamp: Lamp) -> None:
    retried, given_up, discarded = (capture_failure(room=room) for room in "123")
    capture_failure(room="4", retry=False)
    make_due(retried)
    runner.retry_due(failure_id=retried.id)
    lamp.fail()
    for _retry in range(3):
        make_due(given_up)
        runner.retry_due(failure_id=given_up.id)
    services.discard(failure_id=discarded.id, reason="sent manually")
    assert counts_of_today() == DayCounts(captured=4, waiting=2, resolved=1, discarded=1)
    assert len(daily_counts()) == DAYS


def test_chart_counts_complete_days_once(
    in_hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture_failure()
    today = timezone.localdate()
    later = timezone.now() + datetime.timedelta(days=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert daily_counts()[today] == DayCounts(captured=1, waiting=0)
    cache.delete(f"dlq:day-counts:{timezone.get_current_timezone_name()}:{timezone.localdate()}")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert daily_counts()[today] == DayCounts(captured=1)
    (statement,) = [query["sql"] for query in queries if "audit_event" in query["sql"]]
    midnight = datetime.datetime.combine(later.date(), datetime.time.min, datetime.UTC)
    assert f"{int(midnight.timestamp() * 1000):012x}" in statement.replace("-", "")


def test_chart_uses_the_days_of_the_hotel_time_zone(in_hotel: Hotel, lamp: Lamp) -> None:
    capture_failure()
    event = Event.objects.latest("id")
    for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):  # 25 hours apart
        zone = zoneinfo.ZoneInfo(name)
        with timezone.override(zone):
            assert daily_counts()[event.at.astimezone(zone).date()].captured == 1


def test_list_of_groups_shows_the_chart(staff: Client, hotel: Hotel, lamp: Lamp) -> None:
    with hotel_context(hotel):
        capture_failure(retry=False)
    page = staff.get("/admin/dlq/failuregroup/").content.decode()
    assert page.count('class="ha-bars"') == DAYS
    assert "1 new, 1 needed attention, 0 resolved, 0 discarded" in page

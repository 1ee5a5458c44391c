"""Tests of searches in the admin list of failures, which read the newest failures until a person requests all."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils.timezone import localtime

from dlq.admin import searches
from dlq.models import Failure, FailureStatus
from hotelagent.core.ids import first_uuid7_at
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, capture_failure, reload

pytestmark = pytest.mark.django_db

LIST = "/admin/dlq/failure/"
NOTICE = "failures were searched"


@pytest.fixture
def oldest(hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch) -> Failure:
    """Return the oldest of three failures.

    A search reads only the two newest failures. Only the oldest failure has the text "filament".
    """
    monkeypatch.setattr(searches, "MAX_SEARCHED", 2)
    with hotel_context(hotel):
        oldest, *_others = [
            capture_failure(message=message, retry=False, number=number)
            for number, message in enumerate(("broken filament", "no current", "no current"))
        ]
        return oldest


def get(staff: Client, **query: str) -> str:
    response = staff.get(LIST, query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("query", [{"q": "filament"}, {"status__exact": "discarded"}])
def test_search_reads_the_newest_failures_until_all_are_requested(
    staff: Client, hotel: Hotel, oldest: Failure, query: dict[str, str]
) -> None:
    with hotel_context(hotel):
        Failure.objects.filter(id=oldest.id).update(status=FailureStatus.DISCARDED)
    page = get(staff, **query)
    assert "broken filament" not in page
    assert "Only the newest 2 failures were searched." in page
    assert f"{next(iter(query.items()))[0]}={next(iter(query.values()))}&amp;searched=all" in page
    page = get(staff, **query, searched="all")
    assert "broken filament" in page
    assert NOTICE not in page


@pytest.mark.parametrize("name", ["status__exact", "fingerprint"])
def test_filter_by_the_status_permanent_or_a_group_shows_all_matching_failures(
    staff: Client, oldest: Failure, name: str
) -> None:
    page = get(staff, **{name: "permanent" if name == "status__exact" else oldest.fingerprint})
    assert "broken filament" in page
    assert NOTICE not in page


def test_list_without_a_filter_shows_all_failures(staff: Client, oldest: Failure) -> None:
    page = get(staff)
    assert "broken filament" in page
    assert NOTICE not in page


def test_search_in_a_period_reads_the_newest_failures_before_the_end_of_the_period(
    staff: Client, hotel: Hotel, oldest: Failure
) -> None:
    with hotel_context(hotel):
        day = timedelta(days=1)
        captured_at = database_now() - 2 * day
        oldest.attempts.all().delete()  # attempts reference the failure's id, which changes below
        Failure.objects.filter(id=oldest.id).update(id=first_uuid7_at(captured_at), last_seen_at=captured_at)
    end = localtime(captured_at + day)
    period = {"last_seen_at_to_0": f"{end:%Y-%m-%d}", "last_seen_at_to_1": f"{end:%H:%M:%S}"}
    page = get(staff, **period)
    assert "broken filament" in page
    assert "no current" not in page
    assert NOTICE not in page


@pytest.mark.parametrize(("end", "is_shown"), [("0001-01-01", False), ("9999-12-31", True)])
def test_filter_by_period_accepts_extreme_dates(
    staff: Client, oldest: Failure, end: str, is_shown: bool
) -> None:
    page = get(staff, last_seen_at_to_0=end, last_seen_at_to_1="23:59:59", searched="all")
    assert ("broken filament" in page) is is_shown


def test_period_of_the_list_is_in_the_time_zone_of_the_hotel(
    staff: Client, hotel: Hotel, oldest: Failure
) -> None:
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(time_zone="America/Bogota")
    now = oldest.last_seen_at.astimezone(ZoneInfo("America/Bogota"))
    start, end = now - timedelta(minutes=1), now + timedelta(minutes=1)
    period = {
        "last_seen_at_from_0": f"{start:%Y-%m-%d}",
        "last_seen_at_from_1": f"{start:%H:%M:%S}",
        "last_seen_at_to_0": f"{end:%Y-%m-%d}",
        "last_seen_at_to_1": f"{end:%H:%M:%S}",
    }
    assert "broken filament" in get(staff, **period, searched="all")


def test_search_that_reads_all_failures_does_not_say_that_some_were_not_searched(
    staff: Client, oldest: Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "MAX_SEARCHED", 4)
    page = get(staff, q="filament")
    assert "broken filament" in page
    assert NOTICE not in page


def test_export_of_a_limited_search_contains_all_matching_failures(staff: Client, oldest: Failure) -> None:
    response = staff.get(f"{LIST}export/csv/", {"q": "filament"})
    assert str(oldest.id) in b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]


def test_action_on_a_displayed_failure_works_after_newer_failures_were_captured(
    staff: Client, hotel: Hotel, oldest: Failure
) -> None:
    body = {"action": "retry", "_selected_action": [str(oldest.id)]}
    response = staff.post(f"{LIST}?q=filament", body, follow=True)
    assert "1 failure will be retried" in response.content.decode()
    with hotel_context(hotel):
        assert reload(oldest).status == FailureStatus.SCHEDULED


def test_redrive_of_a_search_covers_all_failures(staff: Client, oldest: Failure) -> None:
    page = staff.get("/admin/dlq/redrive/start/", {"q": "filament", "searched": "all", "action": "retry"})
    assert page.status_code == 200
    assert "“filament”" in page.content.decode()

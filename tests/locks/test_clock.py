"""Tests that holds use the database clock and not the clock of the Python process."""

import datetime
import time
import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from hotelagent.core import ids
from locks import policy, selectors, services
from locks.errors import HoldExpired
from tests.locks.conftest import SomeNights
from tests.locks.helpers import expire

pytestmark = pytest.mark.django_db

HOUR = 3600


@pytest.fixture(params=[HOUR, -HOUR], ids=["an hour fast", "an hour slow"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock of the Python process one hour ahead of the database clock, or one hour behind."""
    offset: int = request.param
    seconds: Callable[[], float] = time.time
    nanoseconds: Callable[[], int] = time.time_ns
    monkeypatch.setattr(time, "time", lambda: seconds() + offset)
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds() + offset * 10**9)
    # Without this patch, later tests would continue from an id with the wrong time, because ids never decrease.
    monkeypatch.setattr(ids, "_last_timestamp", 0)
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + datetime.timedelta(seconds=offset))


def database_now() -> datetime.datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [now] = cursor.fetchone()
    return now  # type: ignore[no-any-return]


def test_hold_expires_by_the_database_clock_if_the_application_clock_is_wrong(
    wrong_clock: None, rooms: list[int], nights: SomeNights
) -> None:
    before = database_now()
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    assert hold.expires_at is not None
    assert 0 <= (hold.expires_at - before).total_seconds() - policy.HOLD_SECONDS < 5
    assert services.expire_holds(ids=[hold.id]) == []
    assert selectors.get_hold(hold.id).status == "held"
    assert services.extend_hold(hold.id, token=hold.token).seconds_left > policy.HOLD_SECONDS
    expire(hold.id)
    assert selectors.get_hold(hold.id).status == "expired"
    with pytest.raises(HoldExpired):
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)


def test_confirmation_of_a_live_hold_succeeds_with_a_wrong_application_clock(
    wrong_clock: None, rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    assert (
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0).status
        == "confirmed"
    )


def test_seconds_left_in_the_rest_api_are_counted_by_the_database_clock(
    wrong_clock: None, api: APIClient, rooms: list[int], nights: SomeNights
) -> None:
    some = nights(1)
    wanted = {
        "room": rooms[0],
        "check_in": some.check_in.isoformat(),
        "check_out": some.check_out.isoformat(),
    }
    hold = api.post("/api/v1/locks/", wanted).json()
    assert policy.HOLD_SECONDS - 30 < hold["seconds_left"] <= policy.HOLD_SECONDS
    seen = api.get(f"/api/v1/locks/{hold['id']}/").json()
    assert (seen["status"], seen["expires_at"]) == ("held", hold["expires_at"])
    expire(uuid.UUID(hold["id"]))
    assert api.get(f"/api/v1/locks/{hold['id']}/").json()["status"] == "expired"
    assert api.post("/api/v1/locks/", wanted).status_code == 201

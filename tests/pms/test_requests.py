"""Tests of the limits of requests to a PMS: the token bucket, pauses, repetitions of reads, and time budgets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from django.core.management import call_command

from hotelagent.pms import policy
from hotelagent.pms.bookings import services
from hotelagent.pms.calls import rate_limit
from hotelagent.pms.errors import PmsRateLimited, PmsUnavailable
from hotelagent.pms.models import CircuitBreaker, Connection
from hotelagent.pms.search import current_offer
from hotelagent.pms.values import StaySearch
from tenants.context import hotel_context
from tenants.database.clock import database_now
from tenants.models import Hotel
from tests.pms.conftest import GUEST, FakeQloApps, connect_to
from tests.threads import call_at_the_same_time

pytestmark = pytest.mark.django_db
Search = Callable[..., StaySearch]


def fill_bucket(monkeypatch: pytest.MonkeyPatch, *, tokens: int, rate: float) -> None:
    """Fill the bucket with tokens, and add `rate` tokens a second from now on."""
    monkeypatch.setattr(policy, "REQUEST_BURST", tokens)
    monkeypatch.setattr(policy, "REQUESTS_PER_SECOND", rate)
    Connection.objects.update(tokens=tokens, tokens_at=database_now())


def test_request_beyond_the_burst_waits_for_the_next_token(
    qloapps: FakeQloApps, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_bucket(monkeypatch, tokens=2, rate=5.0)
    started = time.monotonic()
    for _request in range(3):
        rate_limit.take_token()
    assert 0.1 < time.monotonic() - started < 5


def test_request_that_would_wait_too_long_is_refused_and_not_counted_by_the_breaker(
    qloapps: FakeQloApps, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_bucket(monkeypatch, tokens=1, rate=0.01)
    current_offer(search())
    with pytest.raises(PmsRateLimited) as refused:
        current_offer(search())
    assert refused.value.retry_after == pytest.approx(100, rel=0.1)
    assert qloapps.requests == 1
    assert not CircuitBreaker.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_fast_retries")
def test_concurrent_requests_take_no_more_tokens_than_the_bucket_has(
    hotel: Hotel, fake_qloapps: FakeQloApps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_allowed() -> bool:
        try:
            rate_limit.take_token()
        except PmsRateLimited:
            return False
        return True

    with hotel_context(hotel):
        connect_to(fake_qloapps.url)
        fill_bucket(monkeypatch, tokens=5, rate=0.001)
    assert sum(call_at_the_same_time(hotel, *[is_allowed] * 16)) == 5


def test_pause_that_the_pms_asks_for_holds_for_all_requests(
    qloapps: FakeQloApps, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "READ_BUDGET_SECONDS", 0.5)
    monkeypatch.setattr(policy, "MAX_WAIT_SECONDS", 0.0)
    qloapps.set(read_faults=["429"])
    with pytest.raises(PmsUnavailable, match="too many requests"):
        current_offer(search())
    with pytest.raises(PmsRateLimited):
        services.book(search=search(), guest=GUEST, price=None)
    assert (qloapps.requests, qloapps.bookings) == (1, [])
    Connection.objects.update(paused_until=database_now())
    assert current_offer(search()).free_rooms == 3


@pytest.mark.parametrize(("failures", "requests"), [(2, 3), (3, 3)])
def test_read_is_repeated_twice_after_a_server_error(
    qloapps: FakeQloApps, search: Search, failures: int, requests: int
) -> None:
    qloapps.set(read_faults=["500"] * failures)
    if failures == 2:
        assert current_offer(search()).free_rooms == 3
    else:
        with pytest.raises(PmsUnavailable):
            current_offer(search())
    assert qloapps.requests == requests


def test_read_is_not_repeated_after_its_time_budget(
    qloapps: FakeQloApps, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "READ_BUDGET_SECONDS", 0.0)
    monkeypatch.setattr(policy, "READ_RETRY_DELAYS", (0.1,))
    qloapps.set(read_faults=["500"])
    with pytest.raises(PmsUnavailable):
        current_offer(search())
    assert qloapps.requests == 1


def test_booking_is_sent_once_although_the_pms_reports_a_server_error(
    qloapps: FakeQloApps, search: Search
) -> None:
    qloapps.set(booking_faults=["early"])
    services.book(search=search(), guest=GUEST, price=None)
    assert qloapps.requests == 1


def test_command_pms_sync_reports_counts_that_add_up(
    qloapps: FakeQloApps, search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    services.book(search=search(), guest=GUEST, price=None)
    call_command("pms_sync", "--hotel", "alpha")
    assert "1 bookings read: 0 created, 0 changed, 1 unchanged" in capsys.readouterr().out
    call_command("pms_sync", "--hotel", "alpha", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["read"] == sum(
        report[name] for name in ("created", "updated", "unchanged", "pending", "rejected")
    )

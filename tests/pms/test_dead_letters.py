"""Tests, with a real worker, of failed bookings and synchronizations in the dead-letter queue, and of their retries."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator

import pytest
from celery.contrib.testing.worker import start_worker

from dlq import services as failures
from dlq import tasks as failure_tasks
from dlq.models import Failure
from hotelagent.celery import app
from hotelagent.pms import connections, policy, tasks
from hotelagent.pms.bookings import services
from hotelagent.pms.models import Booking, BookingStatus
from hotelagent.pms.values import StaySearch
from locks.models import Allocation, AllocationStatus
from reminders.models import Reservation
from tenants.context import current_hotel
from tests.dlq.workers import wait_for
from tests.pms.conftest import GUEST, FakeQloApps
from tests.pms.contract import request_of

pytestmark = pytest.mark.django_db(transaction=True)
Search = Callable[..., StaySearch]


@pytest.fixture
def outage(qloapps: FakeQloApps, monkeypatch: pytest.MonkeyPatch) -> FakeQloApps:
    """Make the PMS fail all requests that only read. A failure is stored after two searches for a booking."""
    monkeypatch.setattr(policy, "RESOLVE_DELAYS", (datetime.timedelta(0),) * 2)
    monkeypatch.setattr(policy, "BREAKER_FAILURES", 10**6)
    qloapps.set(read_fault="html")
    return qloapps


@pytest.fixture
def worker(transactional_db: None, redis_url: str, unpersistent_connections: None) -> Iterator[None]:
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="CRITICAL"):
        yield


def stored_failure(name: str) -> Failure:
    failure: Failure = wait_for(Failure.objects.filter(name=name, status="scheduled").first)
    return failure


def retry(failure: Failure) -> None:
    """Retry the failure in the worker, and wait until the failure is resolved."""
    failures.retry(failure_id=failure.id)
    failure_tasks.retry_due.delay([str(failure.id)])
    wait_for(Failure.objects.filter(id=failure.id, status="resolved").first)


def test_booking_that_stays_unclear_is_a_failure_whose_retry_completes_the_booking_once(
    outage: FakeQloApps, search: Search, worker: None
) -> None:
    outage.set(booking_faults=["lost"])
    booking, _is_new = services.book(search=search(), guest=GUEST, price=None)
    for _attempt in policy.RESOLVE_DELAYS:
        tasks.resolve_bookings.delay([str(booking.id)])
    failure = stored_failure("pms.tasks.resolve_booking")
    assert booking.reference in failure.error_message
    assert Allocation.objects.get().status == AllocationStatus.HELD
    outage.set(read_fault="")
    retry(failure)
    booking.refresh_from_db()
    assert (booking.status, booking.sends) == (BookingStatus.BOOKED, 1)
    # The broker can deliver the message of the retry a second time.
    tasks.resolve_booking.apply(args=[str(booking.id)])
    assert (len(outage.bookings), Reservation.objects.count()) == (1, 1)
    assert Allocation.objects.get().status == AllocationStatus.CONFIRMED


def test_booking_that_never_arrived_is_sent_by_the_retry_of_its_failure(
    outage: FakeQloApps, search: Search, worker: None
) -> None:
    outage.set(booking_faults=["early"])
    booking, _is_new = services.book(search=search(), guest=GUEST, price=None)
    for _attempt in policy.RESOLVE_DELAYS:
        tasks.resolve_bookings.delay([str(booking.id)])
    failure = stored_failure("pms.tasks.resolve_booking")
    assert outage.bookings == []
    outage.set(read_fault="")
    retry(failure)
    assert Booking.objects.get().status == BookingStatus.BOOKED
    assert (len(outage.bookings), Reservation.objects.count()) == (1, 1)


def test_synchronization_that_failed_is_finished_by_a_retry(
    outage: FakeQloApps, search: Search, worker: None
) -> None:
    adapter = connections.adapter_of(connections.current_connection())
    adapter.book(request_of(search(), reference="OTHER"))
    hotel = str(current_hotel().id)
    tasks.synchronize.delay([hotel])
    failure = stored_failure("pms.tasks.synchronize")
    assert Reservation.objects.count() == 0
    outage.set(read_fault="")
    retry(failure)
    assert Reservation.objects.count() == 1
